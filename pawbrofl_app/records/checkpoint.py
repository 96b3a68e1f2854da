"""Checkpoints: all that a run needs to go on after its process or machine died, bit for bit.

A checkpoint is one file: a line that says so, the SHA-256 of what follows, and an ``.npz`` archive. It
is written atomically, and the one before it is kept, so that a damaged one costs a few rounds only.
Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from logging import WARNING
from pathlib import Path
from typing import Any

import numpy as np
from flwr.common.logger import log
from numpy.typing import NDArray

from .atomic_files import write_atomically

FIRST_LINE = b"PAwBRoFL checkpoint, version 1\n"
DIGEST_SIZE = hashlib.sha256().digest_size
KEPT = 2
_NAME = re.compile(r"round-(\d+)\.checkpoint")


class DamagedCheckpoint(ValueError):
    """A checkpoint's bytes are not those that were written. The message says in what way."""


@dataclass(frozen=True)
class Checkpoint:
    """The state of a run after a round.

    Attributes
    ----------
    server_round : int
        The last round that is done; 0 for none.
    tensors : list of bytes
        The global model's arrays, serialized as they are sent.
    num_draws : int
        How often clients were drawn.
    record_lengths : dict of str to int
        How long each file of the run's records was, in bytes.
    strategy_state : dict of str to ndarray
        What the strategy carries from round to round.
    personal_models : mapping of int to list of bytes
        The serialized arrays of clients' personal models, by partition id.
    """

    server_round: int
    tensors: list[bytes]
    num_draws: int
    record_lengths: dict[str, int]
    strategy_state: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    personal_models: Mapping[int, list[bytes]] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the content of a checkpoint's file."""
        header = {
            "server_round": self.server_round,
            "num_tensors": len(self.tensors),
            "num_draws": self.num_draws,
            "record_lengths": self.record_lengths,
            "personal_models": [[client, len(own)] for client, own in self.personal_models.items()],
        }
        arrays = {"header": _as_array(json.dumps(header).encode())}
        arrays |= {f"model.{k}": _as_array(tensor) for k, tensor in enumerate(self.tensors)}
        arrays |= {f"strategy.{name}": array for name, array in self.strategy_state.items()}
        for client, own in self.personal_models.items():
            arrays |= {f"personal.{client}.{k}": _as_array(tensor) for k, tensor in enumerate(own)}
        archive = io.BytesIO()
        np.savez(archive, allow_pickle=False, **arrays)
        payload = archive.getvalue()
        return FIRST_LINE + hashlib.sha256(payload).digest() + payload

    @classmethod
    def from_bytes(cls, content: bytes) -> Checkpoint:
        """Return the checkpoint that a file holds.

        Raises
        ------
        DamagedCheckpoint
            For anything but what `to_bytes` made.
        """
        if not content.startswith(FIRST_LINE):
            raise DamagedCheckpoint("it does not begin as a checkpoint does")
        start = len(FIRST_LINE) + DIGEST_SIZE
        digest, payload = content[len(FIRST_LINE) : start], content[start:]
        if hashlib.sha256(payload).digest() != digest:
            raise DamagedCheckpoint("its checksum is wrong")
        try:
            with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
                header = json.loads(archive["header"].tobytes())
                return cls(
                    header["server_round"],
                    [archive[f"model.{k}"].tobytes() for k in range(header["num_tensors"])],
                    header["num_draws"],
                    header["record_lengths"],
                    {
                        name.removeprefix("strategy."): archive[name]
                        for name in archive.files
                        if name.startswith("strategy.")
                    },
                    {
                        client: [archive[f"personal.{client}.{k}"].tobytes() for k in range(count)]
                        for client, count in header["personal_models"]
                    },
                )
        except (EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as problem:
            raise DamagedCheckpoint(f"its content cannot be read: {problem}") from problem


class CheckpointFolder:
    """The last checkpoints of a run.

    Parameters
    ----------
    path : Path
        Where they are; made with the first one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, checkpoint: Checkpoint) -> None:
        """Write a checkpoint and remove all but the one before it; where that fails, log why."""
        try:
            self.path.mkdir(exist_ok=True)
            name = f"round-{checkpoint.server_round:06d}.checkpoint"
            write_atomically(self.path / name, checkpoint.to_bytes())
            for _, old in self._files()[KEPT:]:
                old.unlink()
        except OSError as problem:
            log(WARNING, "no checkpoint after round %s: %s", checkpoint.server_round, problem)

    def newest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None where there is none at all.

        Raises
        ------
        DamagedCheckpoint
            Where there are some, and none is whole.
        """
        damaged = ""
        for _, path in self._files():
            if damaged:
                log(WARNING, "%s, the one before is used", damaged)
            try:
                return Checkpoint.from_bytes(path.read_bytes())
            except (OSError, DamagedCheckpoint) as problem:
                damaged = f"{path} is left aside: {problem}"
        if damaged:
            raise DamagedCheckpoint(f"no checkpoint in {self.path} is whole ({damaged})")
        return None

    def remove(self) -> None:
        """Remove all checkpoints, as a run that is finished needs none."""
        if self.path.is_dir():
            for left in self.path.iterdir():
                left.unlink()
            self.path.rmdir()

    def _files(self) -> list[tuple[int, Path]]:
        """Return the checkpoints' rounds and files, newest first."""
        if not self.path.is_dir():
            return []
        names = ((_NAME.fullmatch(path.name), path) for path in self.path.iterdir())
        return sorted(((int(match[1]), path) for match, path in names if match), reverse=True)


def _as_array(data: bytes) -> NDArray[np.uint8]:
    return np.frombuffer(data, dtype=np.uint8)
