"""The page of a run that goes on: made anew after rounds, and reloading itself."""

from __future__ import annotations

import logging
import math
import time
from pathlib import Path

from .html_page import PAGE, write_page
from .run_records import NoRecords

LOG = logging.getLogger("flwr")
SHARE_OF_TIME = 0.05
"""So much of the time, at most, goes into the page while the run goes on."""


class LivePage:
    """Makes ``report.html`` anew after a round, where that costs little beside training.

    What the disk does not take is logged; the run goes on.

    Parameters
    ----------
    folder : Path
        The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done, self._took = -math.inf, 0.0

    def after_round(self) -> None:
        """Make the page, unless too much of the time would go into it; the log names the first one."""
        if (time.monotonic() - self._done) * SHARE_OF_TIME < self._took:
            return
        is_first = not self._took
        self._write(is_live=True)
        if is_first:
            LOG.info("the run so far is on a page that reloads itself: %s", self._folder / PAGE)

    def at_end(self) -> None:
        """Make the page of the whole run, which stays as it is."""
        self._write(is_live=False)

    def _write(self, *, is_live: bool) -> None:
        started = time.monotonic()
        try:
            write_page(self._folder, is_live=is_live)
        except (OSError, NoRecords) as problem:
            LOG.error("the page of the run cannot be written: %s", problem)
        self._done = time.monotonic()
        self._took = self._done - started
