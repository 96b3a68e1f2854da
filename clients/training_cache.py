"""What the clients of one process need not compute twice."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from attacks.knowledge import HonestTraining, TrainingReport

from .training_steps import ReplayCache

NDArrays = list[NDArray[Any]]
Trained = tuple[NDArrays, TrainingReport]


class TrainingCache:
    """Honest trainings of the present round, and the steps that a GPU replays.

    A client app owns one and hands it to each of its clients. It changes no client's numbers, but for
    the rounding errors of trainings that were done ahead in lock-step.

    Attributes
    ----------
    replays : ReplayCache
        The training steps that were captured last.
    """

    def __init__(self) -> None:
        self.replays = ReplayCache()
        self._ahead: Mapping[int, Trained] = {}
        self._poisoned: Collection[int] = ()
        self._round = b""
        self._known: dict[bytes, HonestTraining] = {}

    @contextlib.contextmanager
    def trained_ahead(
        self, trained: Mapping[int, Trained], poisoned: Collection[int] = ()
    ) -> Iterator[None]:
        """Within the block, clients find their training done, by their partition ids.

        It is the honest one but for ``poisoned`` clients, who find that on their changed batches.
        """
        self._ahead, self._poisoned = trained, poisoned
        try:
            yield
        finally:
            self._ahead = {}

    def done_ahead(self, partition_id: int, *, poisoned: bool = False) -> Trained | None:
        """Return a client's training, honest or poisoned, if it was done before the client was asked."""
        is_asked_for = poisoned == (partition_id in self._poisoned)
        return self._ahead.get(partition_id) if is_asked_for else None

    def known_training(
        self, round_key: bytes, key: bytes, train: Callable[[], HonestTraining]
    ) -> HonestTraining:
        """Return an honest training that attackers know, done now if it was not before in this round.

        Parameters
        ----------
        round_key : bytes
            Of round and global model; only the trainings of the last one asked for are kept.
        key : bytes
            Of the client.
        train : callable
        """
        if round_key != self._round:
            self._round, self._known = round_key, {}
        if key not in self._known:
            self._known[key] = train()
        return self._known[key]
