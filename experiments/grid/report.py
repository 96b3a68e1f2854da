"""A study's report: one HTML file with tables, figures, verdicts, settings and versions in it."""

from __future__ import annotations

import base64
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from pawbrofl_app.records.layout import SECONDS

from .cell_folder import CellFolder
from .claims import findings
from .results import finished_cells, rounds_of
from .study import RESULTS, Study
from .study_figures import draw_study_figures
from .table import as_text, over_seeds
from .weight_maps import draw_weight_maps

TEMPLATE = "report.html.jinja"
CAPTIONS = {
    "aggregators": "the aggregators beside each other: means over the seeds, and ranges",
    "curves": "over the rounds: means over the seeds, bands from the smallest to the largest",
    "fairness": "how honest clients are served, each on its own data: means and ranges over the seeds",
    "groups": "how majority and minority fare, each on its own kind of samples: means and ranges",
    "weights": "who counted how much in each round, first seed; malicious clients are marked red",
    "trade-off": "the last round by mu: what the tilt trades for what (means and ranges over the seeds)",
}


@dataclass(frozen=True)
class EmbeddedFigure:
    """A figure for light and for dark pages, base64-encoded."""

    caption: str
    light: str
    dark: str


def write_report(study: Study, folders: Sequence[CellFolder], folder: Path) -> Path:
    """Write ``report.html`` into a folder, its figures beside it into ``figures/``.

    Parameters
    ----------
    study : Study
    folders : sequence of CellFolder
        All of the study's cells, at least one of them finished.
    folder : Path
        The study's results folder.

    Returns
    -------
    Path
        Of the report, which needs no other file.
    """
    rounds, cells = rounds_of(folders), finished_cells(folders)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    finished = [cell for cell in folders if cell.finished]
    common = finished[0].cell.config.as_settings()
    hidden = {*study.varied, "seed", "results-dir", "data-dir", "figures"}
    page = environment.get_template(TEMPLATE).render(
        study=study,
        command=_command(study, folder.parent),
        num_finished=len(finished),
        seeds=int(cells["seed"].nunique()),
        hours=_duration(rounds),
        date=time.strftime("%Y-%m-%d"),
        findings=findings(rounds),
        table=as_text(over_seeds(cells, study.varied)),
        figures=_figures(folders, rounds, folder / "figures"),
        settings={name: value for name, value in common.items() if name not in hidden},
        versions=finished[0].run.versions,
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path


def _figures(folders: Sequence[CellFolder], rounds: pd.DataFrame, folder: Path) -> list[EmbeddedFigure]:
    light, dark = (
        draw_study_figures(rounds, folder, on_dark) + draw_weight_maps(folders, folder, on_dark)
        for on_dark in (False, True)
    )
    figures = []
    for on_light, on_dark in zip(light, dark, strict=True):
        kind = next(kind for kind in CAPTIONS if on_light.stem.endswith(kind))
        part = on_light.stem.removesuffix(f"-{kind}")
        figures.append(
            EmbeddedFigure(f"{part}, {CAPTIONS[kind]}", _encoded(on_light), _encoded(on_dark))
        )
    return figures


def _command(study: Study, results: Path) -> str:
    """Return the command that makes the report again, as it has to be typed."""
    command = ["python", "-m", "experiments", "report", *study.arguments]
    default = Path(RESULTS)
    return shlex.join(command if results == default else [*command, "--results", str(results)])


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")


def _duration(rounds: pd.DataFrame) -> str:
    seconds = float(rounds[SECONDS].to_numpy().sum())
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
