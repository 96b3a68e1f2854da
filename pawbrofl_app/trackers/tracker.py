"""What every experiment tracker is: where a run's measures go beside its records, round by round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar


class Tracker(ABC):
    """Takes a run's measures while it goes on.

    It is made, with the parameters in brackets, when settings are checked, and begins in `start`. What
    it raises from then on is logged, and training goes on.

    Attributes
    ----------
    package : str
        What must be installed, as it is imported; empty for nothing.
    """

    package: ClassVar[str] = ""

    @abstractmethod
    def start(self, folder: Path, settings: Mapping[str, Any], first_round: int) -> None:
        """Begin, or go on where a run is resumed.

        Parameters
        ----------
        folder : Path
            The run's results folder, which exists.
        settings : mapping of str to object
            All settings, under their names in the run config.
        first_round : int
            The round of the first values, 0 for the initial model. In a resumed run, what was added of
            this and later rounds is added again.
        """

    @abstractmethod
    def add(self, server_round: int, values: Mapping[str, float]) -> None:
        """Add what was measured after a round, perhaps more than once in it.

        Parameters
        ----------
        server_round : int
        values : mapping of str to float
            By group and name, such as ``"test/test_accuracy"``; none is NaN, all are there at most once.
        """

    def close(self, *, is_finished: bool) -> None:  # noqa: B027  most have nothing to close
        """End, where `start` came to its end.

        Parameters
        ----------
        is_finished : bool
            Whether the run is; it was interrupted otherwise.
        """
