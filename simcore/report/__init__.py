"""Reports of finished runs: console, JUnit XML, a self-contained HTML page, bus logs.

Everything here turns `ScenarioResult`s into bytes and computes nothing new about a run. Libraries
for output (rich, jinja2, plotly) are imported when first used. Not here: running or judging
(`simcore.rig`), and the choice of what to write where (`simcore.cli`).
"""

from simcore.report.console import print_console
from simcore.report.html import write_html
from simcore.report.junit import write_junit
from simcore.report.logs import LOG_FORMATS, LogFormat, write_log
from simcore.report.summary import run_digest

__all__ = [
    "LOG_FORMATS",
    "LogFormat",
    "print_console",
    "run_digest",
    "write_html",
    "write_junit",
    "write_log",
]
