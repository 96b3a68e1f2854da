"""A run as one HTML page: accuracy, gaps, who counted how much, and who was judged malicious and why."""

from __future__ import annotations

import contextlib
import math
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .curves import charts, gaps, last_of
from .heat_map import heat_map
from .judgements import Judgement, brought_back, judgements
from .page_template import TEMPLATE
from .run_records import RunRecords

if TYPE_CHECKING:
    import jinja2

PAGE = "report.html"
RELOADED_AFTER = 5
"""Seconds after which the page of a run that goes on is loaded anew."""
MOST_ROWS = 20
"""So many of those judged stand in the table at once, the others below a heading to unfold."""
ACCURACY, SUCCESS = ("accuracy", "acc"), ("success", "backdoor")


def write_page(folder: Path | str, *, is_live: bool = False) -> Path:
    """Write ``report.html`` into a run's folder, of what it recorded up to now.

    Parameters
    ----------
    folder : Path or str
        With the records of `RoundReport` or of this project's app.
    is_live : bool
        Whether the page reloads itself, as the run goes on.

    Returns
    -------
    Path
        Of the page, which needs no other file.

    Raises
    ------
    NoRecords
        Where the folder holds no records.
    ImportError
        Where Jinja2 is not installed.
    """
    path = Path(folder) / PAGE
    content = page_of(RunRecords.of(folder), Path(folder).absolute().name, is_live=is_live)
    return write_whole(path, content)


def write_whole(path: Path, content: str) -> Path:
    """Write a file through a temporary one, so that whoever reads it meanwhile sees a whole one.

    A symbolic link in the place of either is replaced, not followed.

    Raises
    ------
    OSError
        Where that fails. What was at ``path`` before is still there then, and nothing else is.
    """
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)
        with temporary.open("x", newline="", encoding="utf-8") as file:
            file.write(content)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)  # a full disk needs the space
        raise
    return path


def page_of(records: RunRecords, title: str, *, is_live: bool = False) -> str:
    """Return the page of a run."""
    judged = judgements(records)
    return (
        environment()
        .from_string(TEMPLATE)
        .render(
            title=title,
            reloaded_after=RELOADED_AFTER if is_live else None,
            time=time.strftime("%Y-%m-%d %H:%M"),
            records=records,
            tiles=_tiles(records, judged),
            charts=charts(records),
            map=heat_map(records) if records.clients else None,
            judgements=judged,
            most_rows=MOST_ROWS,
            repeated=sorted(
                (one for one in judged if one.since_round is not None),
                key=lambda one: (len(one.client), one.client),
            ),
            malicious=records.truly_malicious,
            brought_back=brought_back(records),
        )
    )


def environment() -> jinja2.Environment:
    """Return what makes pages of templates.

    Raises
    ------
    ImportError
        Where Jinja2 is not installed.
    """
    require_jinja2()
    import jinja2

    made = jinja2.Environment(
        autoescape=True,  # names and reasons come from clients
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["number"] = _number
    return made


def require_jinja2() -> None:
    """Raise ImportError, saying what to install, where Jinja2 is not there."""
    try:
        import jinja2  # noqa: F401
    except ImportError as missing:
        raise ImportError("the report's page needs Jinja2: pip install 'pawbrofl[report]'") from missing


def _tiles(records: RunRecords, judged: list[Judgement]) -> list[tuple[str, str]]:
    """Return what the run comes to, as values and their names."""
    rounds = records.trained_rounds
    found = [one for one in records.clients if rounds and one.round == rounds[-1]]
    tiles = [(str(len(rounds)), "rounds"), (str(len(records.names)), "clients")]
    for words in (ACCURACY, SUCCESS):
        measure = last_of(records, words)
        if measure is not None:
            tiles.append((_number(measure[1]), measure[0]))
    tiles.append(
        (f"{sum(one.judged_malicious for one in found)} of {len(found)}", "judged in the last round")
    )
    tiles += [
        (_number(series[max(series)]), f"gap, {name}")
        for name, series in gaps(records).items()
        if series
    ]
    return tiles


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "none"
    return f"{value:.4f}" if abs(value) < 1000 else f"{value:.3g}"
