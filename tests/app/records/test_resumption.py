"""Which folders a run may write to, and going on in one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from pawbrofl_app.records.atomic_files import part_of
from pawbrofl_app.records.checkpoint import Checkpoint, CheckpointFolder
from pawbrofl_app.records.layout import SETTINGS, ClientEvaluation
from pawbrofl_app.records.opening import open_records
from pawbrofl_app.records.resumption import MAY_DIFFER, check_resumable, differing_settings
from pawbrofl_app.records.versions import versions
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.evaluation import Evaluation
from tests.conftest import PROJECT

from .conftest import MALICIOUS, diagnostics


def resumed(config: RunConfig, **changed: Any) -> RunWriter:
    settings = config.as_settings() | {"resume": True} | changed
    return open_records(RunConfig.parse(settings), MALICIOUS)


def test_an_existing_folder_is_left_alone(records: RunWriter, config: RunConfig) -> None:
    before = sorted(path.name for path in records.run.path.iterdir())
    with pytest.raises(InvalidSetting, match="results-dir must be a folder that does not exist yet"):
        open_records(config, [])
    assert sorted(path.name for path in records.run.path.iterdir()) == before


def test_a_resumed_run_goes_on_after_a_checkpoints_rows(records: RunWriter, config: RunConfig) -> None:
    expected = (records.run.path / "rounds.csv").read_text()
    lengths = records.lengths
    assert lengths is not None
    records.add_clients(diagnostics(3))
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.9, 1.0, 0.02), 0.5)
    records.close()
    again = resumed(config)
    again.cut_back(lengths)
    assert not (records.run.path / "evaluations.csv").exists()
    assert (records.run.path / "rounds.csv").read_text() == expected
    assert again.clients["round"].max() == 2
    again.add_round(3, Evaluation(0.9, 1.0, 0.02), 0.5)
    assert again.rounds["round"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", 2, "seed must be 1 as in the run to resume, got 2"),
        ("num-rounds", 30, "num-rounds must be 20 as in the run to resume, got 30"),
        ("mu", 0.5, "mu must be 0.05 as in"),
    ],
)
def test_a_resumed_run_has_the_recorded_settings(
    records: RunWriter, config: RunConfig, name: str, value: Any, message: str
) -> None:
    records.close()
    before = {path: path.read_bytes() for path in records.run.path.iterdir()}
    with pytest.raises(InvalidSetting, match=message):
        resumed(config, **{name: value})
    assert {path: path.read_bytes() for path in records.run.path.iterdir()} == before


def test_a_run_that_is_older_than_a_setting_had_it_at_its_default(
    records: RunWriter, config: RunConfig
) -> None:
    records.close()
    recorded = records.run.settings
    del recorded["max-tilt"]
    (records.run.path / SETTINGS).write_text(tomli_w.dumps(recorded))
    with pytest.raises(InvalidSetting, match=r"max-tilt must be 2\.0 as in the run to resume, got 3\.0"):
        resumed(config, **{"max-tilt": 3.0})
    resumed(config).close()


def test_a_run_that_still_goes_on_is_not_resumed(records: RunWriter, config: RunConfig) -> None:
    with pytest.raises(InvalidSetting, match="must not be that of a run which is still going on"):
        resumed(config)
    records.close()
    resumed(config).close()


def test_what_changes_no_number_may_differ(records: RunWriter, config: RunConfig) -> None:
    records.close()
    resumed(config, **{"round-timeout": 5, "figures": False, "checkpoint-every": 7})


def test_settings_that_may_differ_are_those_that_the_documentation_names() -> None:
    page = (PROJECT / "docs" / "reliability.md").read_text()
    named = page.split("may differ:")[1].split(". ")[0]
    assert set(re.findall(r"`([a-z-]+)`", named)) == MAY_DIFFER - {"results-dir", "resume"}


def test_records_from_before_there_were_trackers_are_those_of_the_same_run(config: RunConfig) -> None:
    recorded = config.as_settings() | {"tensorboard": True}
    del recorded["tracker"]
    assert differing_settings(config, recorded) == {}
    assert differing_settings(config, recorded | {"gone": 1}) == {"gone": (1, None)}


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_something_else_is_not_resumed(config: RunConfig, tmp_path: Path, kind: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"")
    given = photos if kind == "folder" else photos / "cat.jpg"
    with pytest.raises(InvalidSetting, match="is not the folder of a run"):
        resumed(config, **{"results-dir": str(given)})


def test_a_run_that_was_killed_before_it_had_settings_begins(config: RunConfig, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").touch()
    part_of(folder / "settings.toml").write_bytes(b"seed =")
    records = resumed(config)
    assert records.run.settings["num-clients"] == 4
    records.close()


@pytest.mark.parametrize("name", ["settings.toml", "versions.json"])
def test_damaged_settings_and_versions_are_named(
    records: RunWriter, config: RunConfig, name: str
) -> None:
    records.close()
    (records.run.path / name).write_bytes(b"seed = \xff")
    resume = RunConfig.parse(config.as_settings() | {"resume": True})
    with pytest.raises(InvalidSetting, match=f"{name} cannot be read"):
        check_resumable(resume)


def with_checkpoints(records: RunWriter) -> Path:
    """Save two checkpoints of the run, after rounds 1 and 2, and close it."""
    lengths = records.lengths
    assert lengths is not None
    folder = CheckpointFolder(records.run.checkpoints_path)
    for server_round in (1, 2):
        folder.save(Checkpoint(server_round, [b"model"], 0, lengths))
    records.close()
    return folder.path


def test_a_run_whose_checkpoints_are_all_damaged_does_not_begin_anew(
    records: RunWriter, config: RunConfig
) -> None:
    for path in with_checkpoints(records).iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in records.run.path.iterdir() if path.is_file()}
    with pytest.raises(InvalidSetting, match=r"no checkpoint in .* is whole .*its checksum is wrong"):
        resumed(config)
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rounds.csv", b"", r"rounds\.csv is shorter than the"),
        ("rounds.csv", b"round\n" + b"1\n" * 500, r"rounds\.csv has other columns than round, test_acc"),
        ("clients.csv", b"\xff" * 5000, "records are damaged: 'utf-8' codec"),
    ],
)
def test_damaged_rows_are_named_before_the_run_goes_on(
    records: RunWriter, config: RunConfig, name: str, content: bytes, message: str
) -> None:
    with_checkpoints(records)
    (records.run.path / name).write_bytes(content)
    with pytest.raises(InvalidSetting, match=message):
        resumed(config)


@pytest.mark.parametrize("name", ["rounds.csv", "model.pt", "figures", ".settings.toml.part"])
def test_symbolic_links_in_the_folder_are_not_followed(
    records: RunWriter, config: RunConfig, tmp_path: Path, name: str
) -> None:
    records.close()
    (tmp_path / "precious").write_text("keep")
    (records.run.path / name).unlink(missing_ok=True)
    (records.run.path / name).symlink_to(tmp_path / "precious")
    with pytest.raises(InvalidSetting, match="must hold no symbolic links"):
        resumed(config)
    assert (tmp_path / "precious").read_text() == "keep"


def test_other_versions_than_the_run_began_with_are_named_in_the_log(
    records: RunWriter, config: RunConfig, caplog: pytest.LogCaptureFixture
) -> None:
    records.close()
    resumed(config).close()
    assert "other versions" not in caplog.text
    changed = records.run.versions | {"torch": "1.0", "numpy": "0.1"}
    (records.run.path / "versions.json").write_text(json.dumps(changed))
    resumed(config).close()
    now = versions()
    assert f"numpy {now['numpy']} in place of 0.1, torch {now['torch']} in place of 1.0" in caplog.text


def test_rows_that_are_missing_are_named(records: RunWriter, config: RunConfig) -> None:
    records.close()
    with pytest.raises(InvalidSetting, match=r"cannot be resumed: .*rounds\.csv is shorter"):
        resumed(config).cut_back({"rounds.csv": 10**6, "clients.csv": 5})
