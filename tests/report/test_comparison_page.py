"""Several runs on one page: what it says of each, and of what sets them apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from report.report_command import main

CLIENTS = "round,client,loss_gap,weight,judged_malicious,left_out\n1,0,0.5,1,False,\n2,0,0.25,1,False,\n"


def a_run(folder: Path, accuracies: tuple[float, ...], settings: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "clients.csv").write_text(CLIENTS)
    rows = [f"{number},{accuracy},9.5" for number, accuracy in enumerate(accuracies)]
    (folder / "rounds.csv").write_text("\n".join(["round,test_accuracy,seconds", *rows]) + "\n")
    if settings is not None:
        (folder / "settings.toml").write_text(settings)
    return folder


def compare(*arguments: Path | str) -> int:
    return main(["compare", *map(str, arguments)])


def test_every_run_has_its_row_and_its_curve(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / name, (0.1, 0.5, last)) for name, last in (("one", 0.75), ("two", 0.875))]
    (runs[1] / "groups.csv").write_text("round,group,accuracy\n2,minority,0.25\n")
    page = tmp_path / "page.html"
    assert compare(*runs, "--out", page) == 0
    text = page.read_text()
    for name, last in (("one", "0.7500"), ("two", "0.8750")):
        assert f"{name}: {last}</li>" in text
        assert re.search(rf">{name}</td>.*>{last}</td>", text)
    assert text.count("<h3>test accuracy</h3>") == 1
    assert re.search(r"<h3>accuracy, minority</h3>(?s:.*?)two: 0.2500</li>", text)
    assert "seconds" not in text
    assert "Settings that differ" not in text


def test_settings_that_differ_are_shown_and_no_others(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", (0.5,), 'mu = 0.1\nseed = 1\nresults-dir = "a"\n')
    second = a_run(tmp_path / "b", (0.5,), 'mu = 0.2\nseed = 1\nresults-dir = "b"\n')
    compare(first, second, "--out", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<th>mu</th>" in text
    assert "<th>seed</th>" not in text
    assert "results-dir" not in text


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    runs = [a_run(tmp_path / parent / "run", (0.5,)) for parent in ("x", "y")]
    compare(*runs, "--out", tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert all(f">{run}</td>" in text for run in runs)


def test_a_folder_without_records_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert compare(a_run(tmp_path / "run", (0.5,)), tmp_path) == 2
    assert f"{str(tmp_path)!r} holds neither" in capsys.readouterr().err


def test_a_page_that_a_full_disk_cuts_short_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "pages" / "page.html"
    page.parent.mkdir()
    page.write_text("the page before")
    run, opened = a_run(tmp_path / "run", (0.5,)), Path.open

    def on_a_full_disk(path: Path, mode: str = "r", **options: Any) -> Any:
        file = opened(path, mode, **options)
        if mode == "x":  # written to as far as there is space
            file.close()
            return Path("/dev/full").open("w")
        return file

    monkeypatch.setattr(Path, "open", on_a_full_disk)
    assert compare(run, "--out", page) == 2
    assert "No space left" in capsys.readouterr().err
    assert page.read_text() == "the page before"
    assert list(page.parent.iterdir()) == [page]
