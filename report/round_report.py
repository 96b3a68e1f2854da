"""A strategy's callback that records every round, and keeps one HTML page of the run up to date."""

from __future__ import annotations

import atexit
import csv
import io
import logging
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from .html_page import require_jinja2, write_whole
from .live_page import LivePage
from .run_records import CLIENTS, ROUNDS, largest_and_worst

LOG = logging.getLogger("flwr")
CLIENT_COLUMNS = (
    "round",
    "client",
    "loss_gap",
    "robust_weight",
    "weight",
    "judged_malicious",
    "num_examples",
    "left_out",
    "branch",
    "brought_back_by",
)


class Client(Protocol):
    """What is recorded of a client; `strategies.ClientDiagnostics` has it all."""

    @property
    def loss_gap(self) -> float: ...  # noqa: D102
    @property
    def judged_malicious(self) -> bool: ...  # noqa: D102


class Round(Protocol):
    """What is recorded of a round; see `strategies.RoundDiagnostics`."""

    @property
    def server_round(self) -> int: ...  # noqa: D102
    @property
    def clients(self) -> Sequence[Client]: ...  # noqa: D102
    @property
    def training_seconds(self) -> float: ...  # noqa: D102
    @property
    def aggregation_seconds(self) -> float: ...  # noqa: D102


class RoundReport:
    """Writes ``clients.csv`` and ``rounds.csv`` as rounds finish, and ``report.html``.

    ::

        strategy = PAwBRoFL(on_round=RoundReport("results"))

    The page is made anew after a round where that costs little beside training, and when training or the
    program ends; ``pawbrofl report FOLDER`` makes it at any time. Accuracies and losses are those that
    your server or your clients evaluate.

    Parameters
    ----------
    folder : Path or str
        Made when the first round is done. Where it holds the records of a run already, ``folder-2`` (and
        so on) is taken; the log says which.

    Raises
    ------
    ImportError
        Where Jinja2 is not installed.
    """

    def __init__(self, folder: Path | str) -> None:
        require_jinja2()
        self._wanted = Path(folder).absolute()
        self._folder: Path | None = None
        self._rounds: dict[int, dict[str, Any]] = {}
        self._page: LivePage | None = None
        self._is_stale = False

    @property
    def folder(self) -> Path:
        """Where the records are, once there are any."""
        return self._folder or self._wanted

    def __call__(self, diagnostics: Round) -> None:
        """Record a round; a strategy's ``on_round``."""
        clients = diagnostics.clients
        largest, worst = largest_and_worst(one.loss_gap for one in clients if _counts(one))
        self._rounds.setdefault(diagnostics.server_round, {}).update(
            replies=len(clients),
            judged_malicious=sum(one.judged_malicious for one in clients),
            largest_gap=largest,
            worst_gap=worst,
            training_seconds=diagnostics.training_seconds,
            aggregation_seconds=diagnostics.aggregation_seconds,
        )
        self._record([[diagnostics.server_round, *_values(one, CLIENT_COLUMNS[1:])] for one in clients])

    def on_evaluation(self, server_round: int, metrics: Mapping[str, Any], where: str) -> None:
        """Record what the model after a round was found to achieve; the strategy calls it.

        Parameters
        ----------
        server_round : int
            0 for the initial model.
        metrics : mapping of str to object
            Of which numbers are recorded.
        where : str
            Who evaluated: "server" or "clients".
        """
        numbers = {
            f"{where}_{name}": float(value)
            for name, value in metrics.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        if numbers:
            self._rounds.setdefault(server_round, {}).update(numbers)
            self._record([])

    def on_end(self) -> None:
        """Make the page of the whole run; the strategy calls it where it knows that training is over."""
        self.write_page()

    def write_page(self) -> None:
        """Make the page of what is recorded up to now; what the disk does not take is logged."""
        if self._is_stale and self._page is not None:
            self._page.at_end()
            self._is_stale = False

    def _record(self, clients: Sequence[Sequence[Any]]) -> None:
        """Add rows of clients, and write the table of rounds anew: evaluations come later."""
        try:
            folder = self._made()
            with (folder / CLIENTS).open("a", newline="", encoding="utf-8") as file:
                if not file.tell():
                    csv.writer(file).writerow(CLIENT_COLUMNS)
                csv.writer(file).writerows(clients)
            names = list(dict.fromkeys(name for row in self._rounds.values() for name in row))
            rows = [[number, *_cells(row.get(name) for name in names)] for number, row in self._sorted()]
            table = io.StringIO(newline="")
            csv.writer(table).writerows([["round", *names], *rows])
            write_whole(folder / ROUNDS, table.getvalue())
        except OSError as problem:
            LOG.error("records cannot be written to %s: %s", self.folder, problem)
            return
        self._is_stale = True
        if self._page is not None:
            self._page.after_round()

    def _made(self) -> Path:
        if self._folder is None:
            folder, number = self._wanted, 1
            while os.path.lexists(folder / CLIENTS):  # also a link that leads nowhere yet
                number += 1
                folder = self._wanted.with_name(f"{self._wanted.name}-{number}")
            folder.mkdir(parents=True, exist_ok=True)
            self._folder = folder
            self._page = LivePage(folder)
            LOG.info("records and report.html of this run are in %s", folder)
            atexit.register(self.write_page)
        return self._folder

    def _sorted(self) -> list[tuple[int, dict[str, Any]]]:
        return sorted(self._rounds.items())


def _counts(client: Client) -> bool:
    return math.isfinite(client.loss_gap) and not client.judged_malicious


def _values(client: Client, names: Iterable[str]) -> list[Any]:
    return _cells(getattr(client, name, "") for name in names)


def _cells(values: Iterable[Any]) -> list[Any]:
    """Return values as a table has them: nothing where there is no number."""
    return ["" if value is None or value != value else value for value in values]
