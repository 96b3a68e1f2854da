"""MLflow: a store in the results folder, which needs no server, or one that several runs share."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .tracker import Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient

FOLDER, STORE, RUN_ID = "mlflow", "mlflow.db", "run-id.txt"
MOST_PARAMETERS = 100
"""That many MLflow takes at once."""


class MLflow(Tracker):
    """Writes a run with its settings as parameters, and its measures as metrics.

    Parameters
    ----------
    uri : str
        The store, as MLflow has it: ``sqlite:////home/me/mlflow.db``, ``http://127.0.0.1:5000``. Empty
        for an SQLite file of the run's own, in its results folder: MLflow has given up its plain files.
    experiment : str
        Under which name the store has the run; it is made where there is none.
    """

    package = "mlflow"

    def __init__(self, uri: str = "", experiment: str = "pawbrofl") -> None:
        self._uri, self._experiment = uri, experiment

    def start(self, folder: Path, settings: Mapping[str, Any], first_round: int) -> None:
        """Begin a run in the store, or go on with the one that a resumed run began."""
        # Importing it reports to its makers otherwise. Whoever set it to false may have that.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow import MlflowClient
        from mlflow.entities import Param

        own = folder / FOLDER
        own.mkdir(exist_ok=True)
        self._client = MlflowClient(self._uri or f"sqlite:///{own / STORE}")
        begun = own / RUN_ID
        if begun.is_file():
            self._run = begun.read_text(encoding="utf-8")
            self._client.update_run(self._run, status="RUNNING")
        else:
            experiment = _experiment(self._client, self._experiment, "" if self._uri else own.as_uri())
            self._run = self._client.create_run(experiment, run_name=folder.name).info.run_id
            named = [Param(name, str(value)) for name, value in settings.items()]
            for first in range(0, len(named), MOST_PARAMETERS):
                batch = named[first : first + MOST_PARAMETERS]
                self._client.log_batch(self._run, params=batch)
            begun.write_text(self._run, encoding="utf-8")
        self._last = _last_steps(self._client, self._run)

    def add(self, server_round: int, values: Mapping[str, float]) -> None:
        """Write the values as metrics, but those that are there since before a run was resumed."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        new = {name: one for name, one in values.items() if self._last.get(name, -1) < server_round}
        metrics = [Metric(name, value, now, server_round) for name, value in new.items()]
        self._client.log_batch(self._run, metrics)

    def close(self, *, is_finished: bool) -> None:
        """Say in the store how the run ended."""
        self._client.set_terminated(self._run, "FINISHED" if is_finished else "FAILED")


def _experiment(client: MlflowClient, name: str, artifacts: str) -> str:
    """Return the id of an experiment, which is made where there is none."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, artifacts or None))


def _last_steps(client: MlflowClient, run: str) -> dict[str, int]:
    """Return the last round of which each metric is there."""
    names = client.get_run(run).data.metrics
    return {name: max(one.step for one in client.get_metric_history(run, name)) for name in names}
