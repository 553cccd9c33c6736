"use strict";
(() => {
  const CORNERS = ["FL", "FR", "RL", "RR"];
  const LINED = { fault: "solid", detection: "dash", reaction: "dashdot", state: "dot" };
  const SYMBOLS = { fault: "x", detection: "diamond", reaction: "triangle-up", state: "square" };
  const LANES = ["fault", "detection", "reaction", "state", "driver", "vehicle", "bus", "check", "note"];
  const LINE_LIMIT = 200;
  const LANE_PX = 19, GAP_PX = 30, LEFT_PX = 74, RIGHT_PX = 14, AXIS_PX = 40, PRINT_PX = 960;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const decode = (text, Type) => new Type(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  // ---- plots -------------------------------------------------------------------------------

  function load(plot) {
    const data = JSON.parse(document.getElementById(plot.dataset.for).textContent);
    data.duration_s ||= 1;
    let load_index = 0;
    for (const panel of data.panels) {
      for (const curve of panel.curves) {
        curve.x = decode(curve.x, curve.wide ? Float64Array : Float32Array);
        curve.y = decode(curve.y, Float32Array);
        curve.colour = curve.corner ? curve.corner.toLowerCase()
          : curve.style === "step" ? (load_index++ % 2 ? "bus-b" : "bus-a") : "ink";
      }
    }
    return data;
  }

  function draw(plot) {
    const data = plot.simcore ??= load(plot);
    const kinds = LANES.filter((kind) => data.events.some((event) => event[1] === kind));
    for (const event of data.events) if (!kinds.includes(event[1])) kinds.push(event[1]);
    const panels = data.panels.map((panel) => ({ height: panel.height, panel }));
    if (kinds.length) panels.unshift({ height: LANE_PX * kinds.length + 6 });
    const inner = panels.reduce((sum, p) => sum + p.height, 0) + GAP_PX * (panels.length - 1);
    const layout = baseLayout(inner + AXIS_PX + 24, data.duration_s);
    const traces = [];
    let top = inner;
    panels.forEach(({ height, panel }, index) => {
      const axis = index ? "y" + (index + 1) : "y";
      const domain = [Math.max(0, (top - height) / inner), Math.min(1, top / inner)];
      layout["yaxis" + (index ? index + 1 : "")] = panel ? valueAxis(panel, domain) : laneAxis(kinds, domain);
      layout.annotations.push(heading(panel ? panel.title + (panel.unit ? " [" + panel.unit + "]" : "") : "Events", domain[1]));
      if (panel) for (const curve of panel.curves) traces.push(line(curve, axis));
      else traces.push(...lanes(data, kinds, axis, plot.clientWidth));
      top -= height + GAP_PX;
    });
    layout.xaxis.anchor = panels.length > 1 ? "y" + panels.length : "y";
    layout.shapes = eventLines(data.events);
    if (plot.dataset.drawn) Plotly.purge(plot);
    plot.replaceChildren();
    plot.style.height = layout.height + "px";
    Plotly.newPlot(plot, traces, layout, {
      displaylogo: false, responsive: true, showTips: false, doubleClick: "reset",
      modeBarButtons: [["toImage", "zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
      toImageButtonOptions: { format: "svg", filename: plot.id },
    });
    plot.dataset.drawn = "true";
    readout(plot, data, traces);
  }

  function baseLayout(height, duration_s) {
    const text = colour("ink"), grid = colour("grid");
    return {
      height, margin: { l: LEFT_PX, r: RIGHT_PX, t: 24, b: AXIS_PX }, showlegend: false, hovermode: "closest", dragmode: "zoom",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", annotations: [],
      font: { family: getComputedStyle(document.body).fontFamily, size: 11, color: text },
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: text, size: 12 } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("muted"), activecolor: text },
      xaxis: {
        range: [-0.006 * duration_s, 1.006 * duration_s], title: { text: "virtual time [s]", standoff: 6 }, gridcolor: grid, zeroline: false, linecolor: colour("line"), ticks: "outside", tickcolor: colour("line"),
      },
    };
  }

  const heading = (text, y) => ({
    text: "<b>" + plain(text) + "</b>", x: 0, y, xref: "paper", yref: "paper", xanchor: "left", yanchor: "bottom", showarrow: false, font: { size: 11 }, xshift: 0,
  });
  const valueAxis = (panel, domain) => ({
    domain, gridcolor: colour("grid"), zeroline: true, zerolinecolor: colour("line"), zerolinewidth: 1, nticks: panel.height > 120 ? 6 : 4, rangemode: panel.unit === "%" ? "tozero" : "normal", fixedrange: false,
  });
  const laneAxis = (kinds, domain) => ({
    domain, range: [kinds.length - 0.4, -0.6], tickvals: kinds.map((_, i) => i), ticktext: kinds.map(plain), gridcolor: colour("grid"), zeroline: false, fixedrange: true,
  });
  const line = (curve, axis) => ({
    x: curve.x, y: curve.y, xaxis: "x", yaxis: axis, type: "scatter", mode: "lines", hoverinfo: "skip", meta: curve.corner, connectgaps: false,
    line: { color: colour(curve.colour), width: curve.style === "thick" ? 2 : 1.4, dash: curve.style === "dash" ? "4px,3px" : "solid", shape: curve.style === "step" ? "hv" : "linear" },
  });

  function lanes(data, kinds, axis, width) {
    const perCharacter = (6.2 * data.duration_s) / Math.max(200, width - LEFT_PX - RIGHT_PX);
    return kinds.map((kind, row) => {
      const events = data.events.filter((event) => event[1] === kind);
      const labels = events.map((event, i) => {
        const end = i + 1 < events.length ? events[i + 1][0] : data.duration_s;
        const room = Math.floor((end - event[0]) / perCharacter) - 3;
        const text = event[2] + ": " + event[3];
        return room < 6 ? "" : "\u00a0" + plain(text.length <= room ? text : text.slice(0, room - 1) + "…");
      });
      return {
        x: events.map((event) => event[0]), y: events.map(() => row), xaxis: "x", yaxis: axis, type: "scatter", mode: "markers+text", cliponaxis: true,
        marker: { symbol: SYMBOLS[kind] || "circle", size: 8, color: colour(LINED[kind] ? kind : "muted") },
        text: labels, textposition: "middle right", textfont: { size: 10, color: colour("ink") },
        customdata: events.map((event) => plain(event[2] + ": " + event[3])), hovertemplate: "%{x:.6f} s<br>%{customdata}<extra>" + plain(kind) + "</extra>",
      };
    });
  }

  const eventLines = (events) => events.filter((event) => LINED[event[1]]).slice(0, LINE_LIMIT).map((event) => ({
    type: "line", xref: "x", yref: "paper", x0: event[0], x1: event[0], y0: 0, y1: 1, layer: "above",
    line: { color: colour(event[1]), width: event[1] === "state" ? 0.7 : 1.1, dash: LINED[event[1]] }, opacity: event[1] === "state" ? 0.55 : 0.9,
  }));

  // ---- readout: legend and values at the cursor ---------------------------------------------

  function valueAt(curve, time_s) {
    const x = curve.x;
    if (!x.length || time_s < x[0] || time_s > x[x.length - 1]) return NaN;
    let low = 0, high = x.length - 1;
    while (high - low > 1) { const middle = (low + high) >> 1; if (x[middle] <= time_s) low = middle; else high = middle; }
    if (curve.style === "step" || x[high] === x[low]) return curve.y[low];
    return curve.y[low] + ((curve.y[high] - curve.y[low]) * (time_s - x[low])) / (x[high] - x[low]);
  }
  const digits = (value) => Number.isNaN(value) ? "-" : Math.abs(value) >= 100 ? value.toFixed(1) : value.toFixed(2);

  function readout(plot, data, traces) {
    const box = document.getElementById(plot.id.replace("plot", "readout"));
    if (!box || !data.panels.length) { if (box) box.hidden = true; return; }
    const when = element("b", {}, "-");
    const table = element("table", {}, element("caption", {}, "at ", when));
    const corners = CORNERS.filter((corner) => data.panels.some((panel) => panel.curves.some((curve) => curve.corner === corner)));
    const head = element("tr", {}, element("th", { scope: "row" }, "click to hide"));
    for (const corner of corners) {
      const button = element("button", { type: "button", "aria-pressed": "true", style: `border-color: var(--${corner.toLowerCase()})` }, corner);
      button.addEventListener("click", () => {
        const shown = button.getAttribute("aria-pressed") === "false";
        button.setAttribute("aria-pressed", String(shown));
        const indices = plot.data.flatMap((trace, i) => (trace.meta === corner ? [i] : []));
        Plotly.restyle(plot, { visible: shown }, indices);
      });
      head.append(element("th", { scope: "col" }, button));
    }
    if (corners.length) table.append(element("thead", {}, head));
    const cells = [];
    const body = element("tbody");
    for (const panel of data.panels) {
      for (const label of new Set(panel.curves.map((curve) => curve.label))) {
        const members = panel.curves.filter((curve) => curve.label === label);
        const mark = { dash: "┄ ", solid: "─ ", thick: "━ ", step: "─ " }[members[0].style];
        const name = element("th", { scope: "row" });
        if (!members[0].corner) name.append(element("span", { style: `color: var(--${members[0].colour})` }, mark));
        else name.append(mark);
        name.append(label + (panel.unit ? " [" + panel.unit + "]" : ""));
        const row = element("tr", {}, name);
        if (!members[0].corner) {
          const cell = element("td", { colspan: String(Math.max(1, corners.length)) }, "-");
          cells.push([cell, members[0]]);
          row.append(cell);
        } else for (const corner of corners) {
          const curve = members.find((member) => member.corner === corner);
          const cell = element("td", { class: corner.toLowerCase() }, curve ? "-" : "");
          if (curve) cells.push([cell, curve]);
          row.append(cell);
        }
        body.append(row);
      }
    }
    table.append(body);
    box.replaceChildren(table, element("p", {}, "Drag to zoom, double click to see all."));
    const cursor = element("div", { class: "cursor" });
    plot.parentElement.querySelector(".cursor")?.remove();
    plot.parentElement.append(cursor);
    const show = (time_s) => {
      when.textContent = time_s.toFixed(4) + " s";
      for (const [cell, curve] of cells) cell.textContent = digits(valueAt(curve, time_s));
    };
    show(0);
    plot.onmousemove = (mouse) => {
      const full = plot._fullLayout, left = mouse.clientX - plot.getBoundingClientRect().left;
      const inside = left - full._size.l;
      if (inside < 0 || inside > full._size.w) { cursor.style.display = "none"; return; }
      show(full.xaxis.p2d(inside));
      cursor.style.cssText = `display:block;left:${left}px;top:${full._size.t}px;height:${full._size.h}px`;
    };
    plot.onmouseleave = () => { cursor.style.display = "none"; };
  }

  const plots = [...document.querySelectorAll(".plot")];
  const drawOnce = (plot) => { if (!plot.dataset.drawn) draw(plot); };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting && entry.target.clientWidth) drawOnce(entry.target);
  }, { rootMargin: "300px" });
  plots.forEach((plot) => watcher.observe(plot));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.filter((plot) => plot.dataset.drawn).forEach(draw));
  // Paper is landscape A4 (see the style): no resize event tells the plots so.
  const drawn = () => plots.filter((plot) => plot.dataset.drawn && plot.clientWidth);
  addEventListener("beforeprint", () => {
    plots.filter((plot) => plot.clientWidth).forEach(drawOnce);
    drawn().forEach((plot) => Plotly.relayout(plot, { width: PRINT_PX }));
  });
  addEventListener("afterprint", () => drawn().forEach((plot) => Plotly.relayout(plot, { width: null, autosize: true })));

  // ---- tables, filter, links, copy ----------------------------------------------------------

  const key = (row, column) => row.cells[column].dataset.sort ?? row.cells[column].textContent.trim();
  function compare(a, b) {
    if (a === "" || b === "" || a === "-" || b === "-") return null;
    const x = Number(a), y = Number(b);
    return Number.isNaN(x) || Number.isNaN(y) ? (a < b ? -1 : a > b ? 1 : 0) : x - y;
  }
  function sort(table, head, column) {
    const direction = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
    const empty = (value) => Number(value === "" || value === "-");
    const rows = [...table.tBodies[0].rows].sort((left, right) => {
      const a = key(left, column), b = key(right, column), order = compare(a, b);
      return order === null ? empty(a) - empty(b) : direction * order;
    });
    table.tBodies[0].append(...rows);
  }
  for (const table of document.querySelectorAll(".sortable")) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      const button = element("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => sort(table, head, column));
      head.replaceChildren(button);
    });
  }

  const filter = document.getElementById("filter"), onlyBad = document.getElementById("only-bad");
  function applyFilter() {
    const wanted = filter.value.trim().toLowerCase();
    for (const item of document.querySelectorAll("[data-verdict]")) {
      item.hidden = !item.dataset.text.includes(wanted) || (onlyBad.checked && item.dataset.verdict === "passed");
    }
  }
  filter?.addEventListener("input", applyFilter);
  onlyBad?.addEventListener("change", applyFilter);
  for (const button of document.querySelectorAll("[data-open-all]")) {
    button.addEventListener("click", () => {
      for (const item of document.querySelectorAll(".scenario:not([hidden])")) item.open = Boolean(button.dataset.openAll);
    });
  }

  function openTarget() {
    const target = document.getElementById(location.hash.slice(1));
    if (target?.matches(".scenario")) { target.hidden = false; target.open = true; target.scrollIntoView(); }
  }
  addEventListener("hashchange", openTarget);
  for (const link of document.querySelectorAll('a[href^="#scenario-"]')) link.addEventListener("click", () => setTimeout(openTarget));
  openTarget();

  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {  // pages opened from a disk may have no clipboard: select, so that a key copies
        const range = document.createRange();
        range.selectNodeContents(source);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        document.execCommand("copy");
      }
      button.textContent = "copied";
    });
  }
})();
