"""Several runs on one HTML page: last values, the settings that differ, and curves side by side."""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .curves import NOT_SHOWN, Chart, Series, chart, gaps, is_share
from .html_page import environment, write_whole
from .page_template import COMPARISON
from .run_records import RunRecords

NOT_COMPARED = ("results-dir", "resume")


@dataclass(frozen=True)
class ComparedRun:
    """A run among others.

    Attributes
    ----------
    name : str
        Its folder's; where several have the same, the path.
    measures : mapping of str to mapping of int to float
        Values by round, of each measure.
    num_rounds : int
    is_finished : bool or None
        None where the records do not say.
    settings : mapping of str to object
        Empty for a run that is not this project's app's.
    """

    name: str
    measures: Mapping[str, Series]
    num_rounds: int
    is_finished: bool | None
    settings: Mapping[str, Any]

    @property
    def last(self) -> dict[str, float]:
        """The last value of each measure."""
        return {name: series[max(series)] for name, series in self.measures.items()}


def write_comparison(folders: Sequence[Path | str], page: Path | str) -> Path:
    """Write a page that compares runs, of what they recorded up to now.

    Parameters
    ----------
    folders : sequence of Path or str
        With the records of `RoundReport` or of this project's app.
    page : Path or str
        The file to write.

    Returns
    -------
    Path
        Of the page, which needs no other file.

    Raises
    ------
    NoRecords
        Where a folder holds no records.
    ImportError
        Where Jinja2 is not installed.
    """
    runs = _compared([Path(folder) for folder in folders])
    content = (
        environment()
        .from_string(COMPARISON)
        .render(
            runs=runs,
            time=time.strftime("%Y-%m-%d %H:%M"),
            measures=_measures(runs),
            settings=_that_differ(runs),
            charts=_charts(runs),
        )
    )
    return write_whole(Path(page), content)


def _compared(folders: Sequence[Path]) -> list[ComparedRun]:
    times = Counter(folder.absolute().name for folder in folders)
    runs = []
    for folder in folders:
        records = RunRecords.of(folder)
        name = folder.absolute().name
        settings = folder / "settings.toml"
        runs.append(
            ComparedRun(
                name=name if times[name] == 1 else str(folder),
                measures=_series(records),
                num_rounds=len(records.trained_rounds),
                is_finished=records.is_finished,
                settings=tomllib.loads(settings.read_text()) if settings.is_file() else {},
            )
        )
    return runs


def _series(records: RunRecords) -> dict[str, Series]:
    series: dict[str, dict[int, float]] = {}
    for number, row in sorted(records.rounds.items()):
        for name, value in row.items():
            if not any(word in name for word in NOT_SHOWN):
                series.setdefault(name.replace("_", " "), {})[number] = value
    series |= {f"accuracy, {name}": dict(values) for name, values in records.groups.items()}
    series |= {f"gap, {name}": values for name, values in gaps(records).items() if values}
    return dict(series)


def _measures(runs: Sequence[ComparedRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.measures))


def _that_differ(runs: Sequence[ComparedRun]) -> list[str]:
    """Return the names of the settings that runs do not share, where all have settings."""
    if not all(run.settings for run in runs):
        return []
    names = dict.fromkeys(name for run in runs for name in run.settings)
    return [
        name
        for name in names
        if name not in NOT_COMPARED and len({str(run.settings.get(name)) for run in runs}) > 1
    ]


def _charts(runs: Sequence[ComparedRun]) -> list[Chart]:
    """Return a chart for each measure, with a curve for each run that has it."""
    charts = []
    for measure in _measures(runs):
        named = {run.name: run.measures[measure] for run in runs if measure in run.measures}
        shares = all(is_share(measure, series) for series in named.values())
        charts.append(chart(measure, named, high=1.0 if shares else None))
    return [one for one in charts if one is not None]
