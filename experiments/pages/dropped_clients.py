"""Which honest clients a robust weighting drops, and what sets them apart from those it keeps.

A client is dropped in a round where its robust weight is below a tenth of an equal share. Its data are
described by how many samples and labels it has, and by how far its labels' shares are from those of all
training samples (total variation: 0 for the same shares, towards 1 for labels that hardly anybody has).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.partitions import client_indices

from ..grid.cell_folder import CellFolder

DROPPED_BELOW = 0.1
"""In equal shares of the round's robust weight."""

DESCRIPTION = ("samples", "labels", "label_distance")


def client_rounds(folder: CellFolder) -> pd.DataFrame:
    """Return one row for each honest client and round of a finished run.

    Returns
    -------
    DataFrame
        ``round``, ``client``, ``loss_gap``, ``dropped``, and the columns of `DESCRIPTION`.
    """
    rows = folder.run.clients
    asked = rows.groupby("round")["client"].transform("size")
    rows["dropped"] = rows["robust_weight"] * asked < DROPPED_BELOW
    honest = rows[~rows["truly_malicious"]]
    described = honest.merge(describe(folder.cell.config), on="client")
    return described[["round", "client", "loss_gap", "dropped", *DESCRIPTION]]


def describe(config: RunConfig) -> pd.DataFrame:
    """Return what each client's data are like, one row for each ``client``."""
    task = load_task(config.data.dataset, config.data.data_dir)
    labels = task.train.labels.numpy()
    held = client_indices(config.partitioned_data)
    own = [np.bincount(labels[samples], minlength=task.num_classes) for samples in held]
    whole = np.sum(own, axis=0) / np.sum(own)
    rows = [
        {
            "client": str(client),
            "samples": int(counts.sum()),
            "labels": int((counts > 0).sum()),
            "label_distance": float(np.abs(counts / counts.sum() - whole).sum() / 2),
        }
        for client, counts in enumerate(own)
    ]
    return pd.DataFrame(rows)


def dropped_share(folder: CellFolder) -> float:
    """Return the share of honest clients that a run's weighting drops, on average over the rounds."""
    return float(client_rounds(folder)["dropped"].mean())


def dropped_and_kept(folders: Iterable[CellFolder], by: tuple[str, ...]) -> pd.DataFrame:
    """Return what dropped and kept honest clients are like, over all rounds and seeds.

    Parameters
    ----------
    folders : iterable of CellFolder
        Finished runs.
    by : tuple of str
        The settings that set apart what is averaged.

    Returns
    -------
    DataFrame
        A row for each combination of ``by``: ``dropped``, the share of honest clients, and each column
        of `DESCRIPTION` and ``loss_gap`` as ``<name>_dropped`` and ``<name>_kept``; NaN where there are
        none.
    """
    tables = []
    for folder in folders:
        settings = folder.cell.config.as_settings()
        tables.append(client_rounds(folder).assign(**{name: settings[name] for name in by}))
    rows = pd.concat(tables, ignore_index=True)
    measured = [*DESCRIPTION, "loss_gap"]
    table = rows.groupby(list(by), sort=False)[["dropped"]].mean()
    for kind, part in (("dropped", rows[rows["dropped"]]), ("kept", rows[~rows["dropped"]])):
        means = part.groupby(list(by), sort=False)[measured].mean()
        table = table.join(means.add_suffix(f"_{kind}"))
    return table.reset_index()
