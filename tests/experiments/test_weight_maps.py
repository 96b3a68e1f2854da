"""Heat maps of who counted how much, from made-up cells."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import tomli_w
from matplotlib.colors import same_color
from matplotlib.image import imread
from matplotlib.patches import Rectangle

from experiments.grid.cell import Cell
from experiments.grid.cell_folder import CellFolder
from experiments.grid.weight_maps import draw_weight_maps, weight_maps
from pawbrofl_app.records.layout import CLIENTS, SETTINGS, SUMMARY, ClientRow
from pawbrofl_app.records.run_figures import MALICIOUS_COLOUR
from pawbrofl_app.settings.run_config import RunConfig

NUM_CLIENTS, NUM_ROUNDS = 12, 3


def ten_weighs_nothing(client: int, server_round: int) -> float:
    return 0.0 if client == 10 else 0.1 + 0.01 * server_round


def cell(
    folder: Path,
    defaults: dict[str, Any],
    weight_of: Callable[[int, int], float] = ten_weighs_nothing,
    **changed: Any,
) -> CellFolder:
    """A finished cell in which client 10 is malicious and weighs nothing."""
    settings = defaults | {"num-clients": NUM_CLIENTS} | changed
    made = CellFolder(Cell(changed, RunConfig.parse(settings)), folder / repr(sorted(changed.items())))
    made.path.mkdir(parents=True)
    rows = [
        ClientRow(
            round=server_round,
            client=str(client),
            loss_gap=0.1,
            robust_weight=1 / NUM_CLIENTS,
            weight=weight_of(client, server_round),
            judged_malicious=False,
            truly_malicious=client == 10,
            num_examples=70,
            left_out="",
        )
        for server_round in range(1, NUM_ROUNDS + 1)
        for client in range(NUM_CLIENTS)
    ]
    (made.path / CLIENTS.file).write_text(CLIENTS.to_csv(rows, header=True))
    (made.path / SETTINGS).write_text(tomli_w.dumps(made.cell.config.as_settings()))
    (made.path / SUMMARY).touch()
    return made


def table_of(folders: list[CellFolder]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "attack": folder.cell.config.threat.attack,
                "aggregator": folder.cell.config.aggregation.aggregator,
                "performance-aware": folder.cell.config.tilt.performance_aware,
                "method": "tilt" if folder.cell.config.tilt.performance_aware else "plain",
                "run": folder.run,
            }
            for folder in folders
        ]
    )


def test_a_panel_for_each_method_attack_and_weighting_with_malicious_clients_marked(
    tmp_path: Path, defaults: dict[str, Any]
) -> None:
    folders = [
        cell(tmp_path, defaults, **{"aggregator": name, "performance-aware": tilt})
        for name in ("filtering", "no-regret", "mean")
        for tilt in (False, True)
    ]
    figure = weight_maps(table_of(folders))
    assert figure is not None
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels[:2]] == ["dba,\nfiltering", "dba,\nno-regret"]
    named = [axes.get_ylabel() for axes in panels if axes.get_ylabel()]
    assert named == ["plain\nclient", "tilt\nclient"]
    for axes in panels:
        shown = axes.images[0].get_array()
        assert shown is not None
        assert shown.shape == (NUM_CLIENTS, NUM_ROUNDS)
        np.testing.assert_allclose(shown[10], 0.0, err_msg="clients in numerical order")
        assert shown[2].tolist() == pytest.approx([0.11, 0.12, 0.13])
        (mark,) = (patch for patch in axes.patches if isinstance(patch, Rectangle))
        assert (mark.get_y(), mark.get_height()) == (9.5, 1)
        assert same_color(mark.get_facecolor(), MALICIOUS_COLOUR)
    plt.close(figure)


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_maps_are_of_the_first_seed_in_light_and_dark(
    tmp_path: Path, defaults: dict[str, Any], dark: bool
) -> None:
    folders = [
        cell(tmp_path, defaults, seed=seed, partition=partition)
        for seed in (3, 2)
        for partition in ("iid", "variable")
    ]
    # The other seed's weights are not even read.
    for folder in folders[:2]:
        (folder.path / CLIENTS.file).unlink()
    paths = draw_weight_maps(folders, tmp_path / "figures", dark)
    end = "-weights-dark.png" if dark else "-weights.png"
    assert [path.name for path in paths] == [
        f"digits-partition=iid{end}",
        f"digits-partition=variable{end}",
    ]
    corner = imread(paths[0])[0, 0, :3]
    assert (corner.mean() < 0.5) is np.bool_(dark)


def test_what_has_no_weights_or_too_many_methods_is_left_out(
    tmp_path: Path, defaults: dict[str, Any]
) -> None:
    without = cell(tmp_path, defaults, lambda *_: math.nan, aggregator="fed-median")
    assert draw_weight_maps([without], tmp_path / "figures") == []
    many = [cell(tmp_path, defaults, mu=0.01 * k) for k in range(1, 9)]
    assert draw_weight_maps(many, tmp_path / "figures") == []
    assert draw_weight_maps([], tmp_path / "figures") == []
