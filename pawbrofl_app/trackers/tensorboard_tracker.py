"""TensorBoard: event files in the results folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .tracker import Tracker

EVENTS = "tensorboard"


class TensorBoard(Tracker):
    """Writes event files. Of rounds that a resumed run does again, TensorBoard shows the later ones."""

    package = "tensorboard"

    def start(self, folder: Path, settings: Mapping[str, Any], first_round: int) -> None:
        """Open an event file, which hides what older ones hold from the first round on."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder / EVENTS), purge_step=first_round)

    def add(self, server_round: int, values: Mapping[str, float]) -> None:
        """Write the values as scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, server_round)
        self._writer.flush()

    def close(self, *, is_finished: bool) -> None:
        """Write what is still held back."""
        self._writer.close()
