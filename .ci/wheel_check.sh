#!/usr/bin/env bash
# The wheel alone must do: built, installed into an empty environment and run from an empty folder,
# it finds its own interface files and scenarios. Usage: .ci/wheel_check.sh PYTHON (with `build`).
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repository"
python=${1:?usage: .ci/wheel_check.sh PYTHON}

elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
unset PYTHONPATH VIRTUAL_ENV

"$python" -m build --quiet --wheel --no-isolation --outdir "$elsewhere/dist" .
"$python" -m venv "$elsewhere/env"
"$elsewhere/env/bin/python" -m pip install --quiet --no-compile -c constraints.txt "$elsewhere"/dist/simcore-*.whl

unpinned=$("$elsewhere/env/bin/python" -m pip freeze --exclude simcore | grep -vixFf constraints.txt || true)
[ -z "$unpinned" ] || {
  echo "wheel-check: expected every dependency pinned in constraints.txt, not so:" $unpinned >&2
  exit 1
}

mkdir "$elsewhere/empty"
cd "$elsewhere/empty"
home=$("$elsewhere/env/bin/python" -c 'import simcore; print(simcore.__file__)')
case $home in
  "$(cd "$elsewhere/env" && pwd -P)"/* | "$elsewhere/env"/*) ;;
  *) echo "wheel-check: expected simcore in $elsewhere/env, got $home" >&2; exit 1 ;;
esac

listed=$("$elsewhere/env/bin/simcore" list)
grep -q panic_stop <<<"$listed" || {
  echo "wheel-check: expected panic_stop in 'simcore list', got: $listed" >&2
  exit 1
}
"$elsewhere/env/bin/simcore" run panic_stop --report report
[ -n "$(find report -name '*.html' -size +0)" ] || {
  echo "wheel-check: expected an HTML page in the report folder, got: $(ls -A report)" >&2
  exit 1
}
# The C actuator that travels with the wheel, built against the header that does.
if command -v cc >/dev/null; then
  cp -r "$(dirname "$home")/_data/scenarios/modules" "$elsewhere/modules"
  make -s -C "$elsewhere/modules" PYTHON="$elsewhere/env/bin/python"
  "$elsewhere/env/bin/simcore" conformance --as EMB_FL --dut "$elsewhere/modules/brake_actuator.so" --only 'start.*'
fi

# A supplier's project, which has simcore from the wheel and nothing of this checkout.
cp -r "$repository/tests/data/example_project" "$elsewhere/project"
cd "$elsewhere/project"
"$elsewhere/env/bin/python" -m pytest -q -p no:cacheprovider
"$elsewhere/env/bin/simcore" run scenarios/stop.py --dut brake/actuator.py::Brake --as EMB_FL
echo "wheel-check: passed ($(basename "$elsewhere"/dist/simcore-*.whl))"
