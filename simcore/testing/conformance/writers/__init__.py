"""What is written about a judged module: console, JUnit, HTML, JSON, CSV and ReqIF.

Everything here turns a `ConformanceResult` into bytes and judges nothing. The same result gives the
same bytes: there is no wall clock and no host name in any of them.
"""

from simcore.testing.conformance.writers.console import print_conformance
from simcore.testing.conformance.writers.csv_file import write_csv
from simcore.testing.conformance.writers.html import write_html
from simcore.testing.conformance.writers.json_file import write_json
from simcore.testing.conformance.writers.junit import write_junit
from simcore.testing.conformance.writers.reqif import write_reqif

__all__ = [
    "print_conformance",
    "write_csv",
    "write_html",
    "write_json",
    "write_junit",
    "write_reqif",
]
