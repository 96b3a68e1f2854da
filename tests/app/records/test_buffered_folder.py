"""Results on a disk that is full, read-only or gone: nothing is lost, and the log says what happens."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pawbrofl_app.command import main
from pawbrofl_app.records import buffered_folder
from pawbrofl_app.records.buffered_folder import BufferedFolder, ResultsElsewhere
from pawbrofl_app.records.summary import RunSummary


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(buffered_folder, "SECONDS_BETWEEN_ATTEMPTS", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where what is rescued goes


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this user may not mount file systems")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_rows_and_files_reach_the_disk(tmp_path: Path) -> None:
    folder = BufferedFolder(tmp_path)
    folder.append("rows.csv", "a\n1\n")
    folder.append("rows.csv", "2\n")
    folder.replace("model", b"first")
    folder.replace("model", b"second")
    assert (tmp_path / "rows.csv").read_text() == folder.read("rows.csv") == "a\n1\n2\n"
    assert (tmp_path / "model").read_bytes() == b"second"
    assert folder.is_complete
    assert folder.lengths == {"rows.csv": 6}


def test_what_a_full_disk_does_not_take_is_written_when_there_is_room(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = BufferedFolder(small_disk)
    folder.append("rows.csv", "a\n1\n")
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60 * 1024))
    row = "x" * 5000 + "\n"
    folder.append("rows.csv", row)
    folder.append("rows.csv", "3\n")
    folder.replace("model", bytes(5000))
    assert not folder.is_complete
    assert caplog.text.count("cannot be written to ([Errno 28] No space left on device)") == 1
    assert folder.read("rows.csv") == f"a\n1\n{row}3\n"
    ballast.unlink()
    folder.flush()
    assert folder.is_complete
    assert "can be written to again" in caplog.text
    assert (small_disk / "rows.csv").read_text() == f"a\n1\n{row}3\n", "no row twice, none in part"
    assert (small_disk / "model").read_bytes() == bytes(5000)


def test_what_never_finds_room_goes_to_a_folder_that_is_named(small_disk: Path) -> None:
    folder = BufferedFolder(small_disk)
    folder.append("rows.csv", "a\n1\n")
    (small_disk / "ballast").write_bytes(bytes(60 * 1024))
    folder.append("rows.csv", "2\n" * 5000)
    folder.replace("model.pt", bytes(5000))
    missing = r"model\.pt, rows\.csv, summary of this run are in"
    with pytest.raises(ResultsElsewhere, match=missing) as error:
        folder.complete("summary", b"{}")
    rescued = Path(str(error.value).split("are in ")[1].split(" instead")[0])
    assert (rescued / "rows.csv").read_text() == "a\n1\n" + "2\n" * 5000
    assert (rescued / "model.pt").read_bytes() == bytes(5000)


def test_a_folder_that_is_gone_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "results"
    path.mkdir()
    folder = BufferedFolder(path)
    path.rmdir()
    for number in range(3):
        folder.append("rows.csv", f"{number}\n")
    assert caplog.text.count("the run goes on, and what is missing there is kept in memory") == 1
    path.mkdir()
    folder.append("rows.csv", "3\n")
    assert (path / "rows.csv").read_text() == "0\n1\n2\n3\n"


def test_a_folder_that_is_gone_for_good_is_rescued_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.mkdir()
    folder = BufferedFolder(path)
    folder.append("rows.csv", "1\n")
    folder.replace("settings", b"seed = 1")
    shutil.rmtree(path)
    folder.append("rows.csv", "2\n")
    folder.replace("model", b"model")
    assert folder.read("rows.csv") == "1\n2\n"
    with pytest.raises(ResultsElsewhere) as error:
        folder.complete("summary", b"{}")
    rescued = Path(str(error.value).split("are in ")[1].split(" instead")[0])
    assert {file.name: file.read_bytes() for file in rescued.iterdir()} == {
        "rows.csv": b"1\n2\n",
        "settings": b"seed = 1",
        "model": b"model",
        "summary": b"{}",
    }


def test_what_a_file_lost_is_written_again_and_does_not_keep_others_from_the_disk(
    tmp_path: Path,
) -> None:
    folder = BufferedFolder(tmp_path)
    folder.append("rows.csv", "1\n")
    folder.append("others.csv", "a\n")
    folder.replace("settings", b"seed = 1")
    (tmp_path / "rows.csv").write_text("")
    (tmp_path / "others.csv").unlink()
    (tmp_path / "others.csv").mkdir()
    (tmp_path / "settings").unlink()
    folder.append("others.csv", "b\n")
    folder.append("rows.csv", "2\n")
    assert (tmp_path / "rows.csv").read_text() == "1\n2\n"
    (tmp_path / "others.csv").rmdir()
    folder.complete("summary", b"{}")
    assert (tmp_path / "others.csv").read_text() == "a\nb\n"
    assert (tmp_path / "settings").read_bytes() == b"seed = 1"


def test_rows_after_a_checkpoint_are_cut_off(tmp_path: Path) -> None:
    folder = BufferedFolder(tmp_path)
    folder.append("rows.csv", "a\n1\n")
    lengths = folder.lengths
    folder.append("rows.csv", "2\nhal")
    folder.append("later.csv", "b\n")
    resumed = BufferedFolder(tmp_path)
    resumed.cut_back(("rows.csv", "later.csv"), lengths)
    resumed.append("rows.csv", "2\n")
    assert (tmp_path / "rows.csv").read_text() == resumed.read("rows.csv") == "a\n1\n2\n"
    assert not (tmp_path / "later.csv").exists()


def test_a_checkpoint_does_not_fit_shorter_files(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n")
    with pytest.raises(ValueError, match="is shorter than the 5 bytes"):
        BufferedFolder(tmp_path).cut_back(("rows.csv",), {"rows.csv": 5})


@pytest.mark.slow
def test_a_run_on_a_full_disk_ends_with_its_model_elsewhere(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: Any = {
        "num-clients": 4,
        "fraction-fit": 0.25,
        "num-rounds": 1,
        "local-epochs": 1,
        "batch-size": 72,
        "figures": "false",
        "results-dir": f"'{small_disk / 'run'}'",
    }
    given = " ".join(f"{name}={value}" for name, value in settings.items())
    assert main(["run", "--engine", "in-process", "--run-config", given]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: results-dir {small_disk / 'run'} could not be written to")
    rescued = Path(error.split("are in ")[1].split(" instead")[0])
    assert (rescued / "model.pt").stat().st_size > 1_000_000
    assert RunSummary.from_json((rescued / "summary.json").read_text()).malicious
    assert (small_disk / "run" / "rounds.csv").read_text().count("\n") == 3
