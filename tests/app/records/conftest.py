"""A run of two rounds, written from made-up diagnostics."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pawbrofl_app.records.opening import open_records
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics

MALICIOUS = [2]


def diagnostics(server_round: int) -> RoundDiagnostics:
    """Four clients: 2 is judged malicious, and so is 3, whose update cannot be used."""
    clients = (
        ClientDiagnostics("0", 0.5, 0.4, 0.2, False, 70),
        ClientDiagnostics("1", 0.5, 0.6, 0.3, False, 71),
        ClientDiagnostics("2", 0.0, 0.0, 4.0, True, 72),
        ClientDiagnostics("3", 0.0, 0.0, math.nan, True, 73, "array 0 holds NaN or infinity"),
    )
    return RoundDiagnostics(server_round, clients, 1.5, 0.25)


@pytest.fixture
def config(tmp_path: Path, defaults: dict[str, Any]) -> RunConfig:
    return RunConfig.parse(defaults | {"results-dir": str(tmp_path / "run"), "num-clients": 4})


@pytest.fixture
def records(config: RunConfig) -> Iterator[RunWriter]:
    records = open_records(config, MALICIOUS)
    records.add_round(0, Evaluation(0.1, 2.3, 0.0), 0.5)
    for server_round in (1, 2):
        records.add_clients(diagnostics(server_round))
        records.add_round(server_round, Evaluation(0.4 * server_round, 1.0, 0.02), 0.5)
    yield records
    records.close()
