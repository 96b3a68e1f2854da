"""What attackers tell each other through a folder: the honest updates and reports of the round before.

Clients train at any time and in any order, on few processors one after the other, so none can wait for
its fellows of this round. What they left in the last round is complete, and the same for all of them: so
all send the same, whoever runs first.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .knowledge import HonestTraining, TrainingReport

REPORT = "report"


@dataclass(frozen=True)
class SharedFolder:
    """A folder that all attackers can read and write.

    Parameters
    ----------
    folder : Path
    run_id : int
        Of the run, whose rounds are apart from those of others.
    """

    folder: Path
    run_id: int

    def leave(self, server_round: int, attacker: int, training: HonestTraining) -> None:
        """Leave what an attacker would honestly send in a round; rounds long past are removed."""
        folder = self._round(server_round)
        folder.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {str(k): array for k, array in enumerate(training.update)}
        arrays[REPORT] = np.array(astuple(training.report), dtype=np.float64)
        temporary = folder / f".attacker-{attacker}-{os.getpid()}.npz"
        np.savez(temporary, **arrays)
        temporary.replace(folder / f"attacker-{attacker}.npz")
        for past in self._rounds_before(server_round)[:-1]:
            shutil.rmtree(self._round(past), ignore_errors=True)

    def left_before(self, server_round: int) -> list[HonestTraining]:
        """Return what all attackers left in the last round before this one, by their numbers."""
        before = self._rounds_before(server_round)
        if not before:
            return []
        files = self._round(before[-1]).glob("attacker-*.npz")
        return [_read(path) for path in sorted(files, key=lambda path: (len(path.name), path.name))]

    def _round(self, server_round: int) -> Path:
        return self.folder / f"run-{self.run_id}" / f"round-{server_round}"

    def _rounds_before(self, server_round: int) -> list[int]:
        folders = self._round(server_round).parent.glob("round-*")
        numbers = (int(path.name.removeprefix("round-")) for path in folders)
        return sorted(number for number in numbers if number < server_round)


def _read(path: Path) -> HonestTraining:
    with np.load(path, allow_pickle=False) as content:
        update = [content[str(k)] for k in range(len(content.files) - 1)]
        before, after, examples, gap = content[REPORT].tolist()
    return HonestTraining(update, TrainingReport(before, after, int(examples), gap))
