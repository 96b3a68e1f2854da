"""Checkpoints: what is read is what was written, or the one before it, or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pawbrofl_app.records import atomic_files
from pawbrofl_app.records.checkpoint import FIRST_LINE, Checkpoint, CheckpointFolder, DamagedCheckpoint

SOME = Checkpoint(
    server_round=7,
    tensors=[b"\x93NUMPY first", b"", bytes(range(256))],
    num_draws=3,
    record_lengths={"rounds.csv": 812, "clients.csv": 5000},
    strategy_state={"optimizer.0.1": np.linspace(-1, 1, 5).reshape(5, 1)},
    personal_models={4: [b"first", b"second"], 11: [b""]},
)
CONTENT = SOME.to_bytes()


def after(server_round: int) -> Checkpoint:
    return Checkpoint(server_round, [b"model"], server_round, {"rounds.csv": server_round})


def check_same(found: Checkpoint | None, expected: Checkpoint) -> None:
    assert found is not None
    for name in ("server_round", "tensors", "num_draws", "record_lengths", "personal_models"):
        assert getattr(found, name) == getattr(expected, name)
    assert list(found.strategy_state) == list(expected.strategy_state)
    for name, array in expected.strategy_state.items():
        np.testing.assert_array_equal(found.strategy_state[name], array)
        assert found.strategy_state[name].dtype == array.dtype


def test_what_is_read_is_what_was_written() -> None:
    check_same(Checkpoint.from_bytes(CONTENT), SOME)


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_a_flipped_bit_is_noticed(position: int, bit: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[position] ^= 1 << bit
    with pytest.raises(DamagedCheckpoint):
        Checkpoint.from_bytes(bytes(damaged))


@given(st.integers(0, len(CONTENT) - 1))
@settings(max_examples=100, deadline=None)
def test_a_missing_end_is_noticed(length: int) -> None:
    with pytest.raises(DamagedCheckpoint):
        Checkpoint.from_bytes(CONTENT[:length])


@given(st.one_of(st.binary(max_size=500), st.binary(max_size=500).map(lambda tail: FIRST_LINE + tail)))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_no_checkpoint(content: bytes) -> None:
    with pytest.raises(DamagedCheckpoint):
        Checkpoint.from_bytes(content)


def test_a_pickle_is_not_even_looked_at() -> None:
    with pytest.raises(DamagedCheckpoint, match="does not begin"):
        Checkpoint.from_bytes(pickle.dumps(SOME.record_lengths))


def test_the_last_two_are_kept_and_the_newest_is_used(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "checkpoints")
    assert folder.newest() is None
    for server_round in (9, 10, 11):
        folder.save(after(server_round))
    names = sorted(path.name for path in folder.path.iterdir())
    assert names == ["round-000010.checkpoint", "round-000011.checkpoint"]
    check_same(folder.newest(), after(11))
    folder.remove()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"half", CONTENT[:-1], CONTENT + b"x"], ids=len)
def test_the_one_before_a_damaged_one_is_used_and_the_log_names_it(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(after(1))
    folder.save(after(2))
    (tmp_path / "round-000002.checkpoint").write_bytes(content)
    check_same(folder.newest(), after(1))
    assert "round-000002.checkpoint is left aside" in caplog.text
    (tmp_path / "round-000001.checkpoint").write_bytes(content)
    with pytest.raises(DamagedCheckpoint, match=r"no checkpoint in .* is whole"):
        folder.newest()


def test_the_one_before_one_that_cannot_be_read_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(after(1))
    (tmp_path / "round-000002.checkpoint").mkdir()
    check_same(folder.newest(), after(1))
    assert "round-000002.checkpoint is left aside" in caplog.text


def test_the_file_is_on_the_disk_before_its_name_and_the_name_before_the_round_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, fsync, replace = [], os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        calls.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    atomic_files.write_atomically(tmp_path / "some", b"content")
    assert calls == ["file", "rename", "folder"]
    assert (tmp_path / "some").read_bytes() == b"content"


def test_a_full_disk_costs_a_checkpoint_but_not_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = CheckpointFolder(tmp_path)
    folder.save(after(1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(atomic_files.os, "fsync", full)
        folder.save(after(2))
    assert "no checkpoint after round 2: [Errno 28] No space left" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["round-000001.checkpoint"]
    folder.save(after(3))
    check_same(folder.newest(), after(3))


def test_arrays_of_objects_are_refused_and_not_unpickled(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "executed",)

    archive = io.BytesIO()
    np.savez(archive, header=np.array([Harmful()], dtype=object))
    payload = archive.getvalue()
    with pytest.raises(DamagedCheckpoint, match="allow_pickle=False"):
        Checkpoint.from_bytes(FIRST_LINE + hashlib.sha256(payload).digest() + payload)
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_in_the_place_of_a_temporary_file_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    folder = CheckpointFolder(tmp_path / "checkpoints")
    folder.save(after(1))
    atomic_files.part_of(folder.path / "round-000002.checkpoint").symlink_to(precious)
    folder.save(after(2))
    assert precious.read_text() == "keep"
    check_same(folder.newest(), after(1))
