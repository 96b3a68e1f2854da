"""What happened in a federation, as tables and one HTML page: `RoundReport` writes them round by round.

Nothing here knows how updates are aggregated. The page needs Jinja2, the extra ``report``.
"""

from __future__ import annotations

from .html_page import write_page
from .live_page import LivePage
from .round_report import RoundReport
from .run_records import RunRecords

__all__ = ["LivePage", "RoundReport", "RunRecords", "write_page"]
