"""Who counted how much in every round, as heat maps: one panel for each way a study aggregates.

Of the first seed alone, as other seeds have other malicious clients. These are marked red.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from pawbrofl_app.records.client_weights import ClientWeights
from pawbrofl_app.records.run_figures import MALICIOUS_COLOUR

from .cell_folder import CellFolder
from .results import METHOD, comparable, settings_of
from .study_figures import MOST_COLUMNS, attack_name, columns_of, save_figures

RUN = "run"
MOST_ROWS = 6
MOST_LABELS = 11


def draw_weight_maps(folders: Sequence[CellFolder], folder: Path, dark: bool = False) -> list[Path]:
    """Draw the weights of each `comparable` part of a study, ``<part>-weights.png``.

    Parts are left out that have no weights, or more ways of aggregating than can be told apart.

    Parameters
    ----------
    folders : sequence of CellFolder
        All of the study's cells.
    folder : Path
        Where to; made if missing.
    dark : bool
        For dark pages, with ``-dark`` before the suffix.
    """
    cells = _first_replica(folders)
    parts = comparable(cells) if len(cells) else ()
    maps = ((f"{name}-weights", weight_maps(part)) for name, part in parts)
    return save_figures(((name, figure) for name, figure in maps if figure), folder, dark)


def _first_replica(folders: Sequence[CellFolder]) -> pd.DataFrame:
    finished = [folder for folder in folders if folder.finished]
    first = min((folder.cell.config.seed for folder in finished), default=None)
    return pd.DataFrame(
        [
            {**settings_of(folder), RUN: folder.run}
            for folder in finished
            if folder.cell.config.seed == first
        ]
    )


def weight_maps(cells: pd.DataFrame) -> Figure | None:
    """Return the figure of comparable cells, methods in rows, attack and weighting in columns.

    Parameters
    ----------
    cells : DataFrame
        One row for each cell, with its settings, its method, and its `RunFolder` as ``run``.

    Returns
    -------
    Figure or None
        None where there is nothing to draw, or too much.
    """
    columns = columns_of(cells)
    pairs = zip(cells["attack"], cells["aggregator"], strict=True)
    shown = cells[[pair in columns for pair in pairs]]
    methods = [str(method) for method in shown[METHOD].drop_duplicates()]
    read = {
        (row[METHOD], row["attack"], row["aggregator"]): ClientWeights.of(row[RUN].clients)
        for _, row in shown.iterrows()
    }
    maps = {place: weights for place, weights in read.items() if not weights.table.empty}
    if not maps or len(columns) > MOST_COLUMNS or len(methods) > MOST_ROWS:
        return None
    size = (2.3 * len(columns) + 1.6, 2.5 * len(methods) + 0.6)
    figure = Figure(size, layout="constrained")
    axes = figure.subplots(len(methods), len(columns), squeeze=False)
    largest = max(float(np.nanmax(weights.table.to_numpy())) for weights in maps.values())
    for (i, j), panel in np.ndenumerate(axes):
        attack, aggregator = columns[j]
        if i == 0:
            panel.set_title(f"{attack_name(attack)},\n{aggregator}", fontsize=9)
        if j == 0:
            panel.set_ylabel(f"{methods[i]}\nclient", fontsize=9)
        weights = maps.get((methods[i], attack, aggregator))
        if weights is None:
            panel.set(xticks=[], yticks=[])
            continue
        image = _heat_map(panel, weights, largest)
    for panel in axes[-1]:
        panel.set_xlabel("round", fontsize=9)
    figure.colorbar(image, ax=axes, label="final weight of the client's update", shrink=0.7, pad=0.01)
    return figure


def _heat_map(panel: Axes, weights: ClientWeights, largest: float) -> AxesImage:
    image = panel.imshow(
        weights.table.to_numpy(dtype=float),
        aspect="auto",
        interpolation="nearest",
        cmap="viridis",
        vmin=0,
        vmax=largest,
    )
    for row, client in enumerate(weights.table.index):
        if client in weights.malicious:
            mark = Rectangle((-0.055, row - 0.5), 0.045, 1, color=MALICIOUS_COLOUR, lw=0)
            mark.set(transform=panel.get_yaxis_transform(), clip_on=False)
            panel.add_patch(mark)
    _label(panel, weights.table)
    return image


def _label(panel: Axes, table: pd.DataFrame) -> None:
    for size, set_ticks, names in (
        (table.shape[0], panel.set_yticks, table.index),
        (table.shape[1], panel.set_xticks, table.columns),
    ):
        places = range(0, size, max(1, -(-size // MOST_LABELS)))
        set_ticks(list(places), [str(names[place]) for place in places], fontsize=7)
    panel.tick_params(axis="y", length=0, pad=9)
