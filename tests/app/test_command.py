"""The command refuses bad input before anything starts, in one line, and writes nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch

from attacks import ATTACKS
from pawbrofl_app import command
from pawbrofl_app.settings.aggregation_settings import BASELINES
from pawbrofl_app.settings.command_line import read_settings
from pawbrofl_app.settings.run_config import SETTINGS
from strategies.fairness import FAIR_WEIGHTINGS
from strategies.weightings import WEIGHTINGS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("dataset='cifar'", "dataset must be one of digits, mnist, fashion-mnist"),
        ("malicious-fraction=0.5", "malicious-fraction must be at least 0 and below 0.5"),
        ("mu=0", "mu must be above 0"),
        ("num-clients=2000", "num-clients must be at most 1437"),
        ("num-client=5", "unknown setting 'num-client': did you mean 'num-clients'?"),
        pytest.param(
            "device='cuda'",
            "device must be auto or cpu where PyTorch finds no GPU",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU"),
        ),
        ("missing.toml", "is not a file"),
        ("mu==", "neither a .toml file nor key=value pairs"),
        ("mu 0.1", "'mu' is no pair"),
        ("num-rounds = 1 mu = 0.5", "without spaces around =: 'num-rounds' is no pair"),
        ("num-rounds=1 mu = 0.5", "'mu' is no pair"),
        ("num-rounds:3", "'num-rounds:3' is no pair"),
        ("num-rounds=3 stray", "'stray' is no pair"),
        ("stray num-rounds=3", "'stray' is no pair"),
        ("attack='none'mu=1", "neither a .toml file nor key=value pairs"),
        ("", "it is empty"),
        ("settings.json", "'settings.json' is no pair"),
        (".", "'.' is no pair"),
    ],
)
def test_bad_settings_are_named_in_one_line(
    settings: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "Popen", None)
    assert command.main(["run", "--run-config", settings]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert message in errors
    assert list(tmp_path.iterdir()) == []


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize(
    "arguments",
    [["run", "-c", "mu=0"], ["run", "-c", "results-dir='.'"], ["resume", "."]],
    ids=["setting", "existing folder", "no run"],
)
def test_a_refusal_waits_for_no_package_that_it_does_not_need(arguments: list[str]) -> None:
    refuse = (
        "import sys; from pawbrofl_app.command import main; "
        f"print(main({arguments!r}), {{'torch', 'flwr', 'pandas', 'scipy', 'ray'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", refuse], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "set()"]
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--client-resources-num-cpus", "0"),
        ("--client-resources-num-cpus", "1.5"),
        ("--client-resources-num-gpus", "-0.1"),
        ("--client-resources-num-gpus", "nan"),
        ("--client-resources-num-gpus", "inf"),
    ],
)
def test_resources_that_no_client_can_have_are_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["run", option, value])
    assert ended.value.code == 2
    assert f"argument {option}: must be a " in capsys.readouterr().err


def test_more_processors_for_a_client_than_there_are_is_refused_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    monkeypatch.chdir(tmp_path)
    assert command.main(["run", "--client-resources-num-cpus", "4096"]) == 2
    errors = capsys.readouterr().err
    assert re.match(r"error: --client-resources-num-cpus must be at most \d+, .* got 4096$", errors)


def test_an_existing_results_folder_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert command.main(["run", "-c", "results-dir='mine'"]) == 2
    assert "nothing was written over" in capsys.readouterr().err
    assert list((tmp_path / "mine").iterdir()) == []


def test_missing_data_without_network_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    monkeypatch.chdir(tmp_path)
    assert command.main(["run", "-c", "dataset='mnist' data-dir='data'"]) == 2
    errors = capsys.readouterr().err
    assert "data-dir" in errors
    assert str(tmp_path / "data") in errors
    assert list(tmp_path.iterdir()) == [], "neither a folder nor a lock is left"


def test_later_settings_win_and_paths_become_absolute(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('mu = 0.5\naggregator = "filtering"\n')
    config = read_settings(["mine.toml", "mu=0.7 data-dir='d'"], tmp_path)
    assert (config.tilt.mu, config.aggregation.aggregator) == (0.7, "filtering")
    assert config.data.data_dir == str(tmp_path / "d")
    assert config.results.results_dir == ""
    assert read_settings(["results-dir='r'"], tmp_path).results.results_dir == str(tmp_path / "r")


def test_only_a_runs_folder_can_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["resume", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"error: {str(tmp_path)!r} is not the folder of a run\n"


def test_a_run_is_resumed_with_its_own_settings(tmp_path: Path, defaults: dict[str, Any]) -> None:
    recorded = defaults | {"seed": 7, "results-dir": "/elsewhere/before/it/was/moved"}
    (tmp_path / "settings.toml").write_text(tomli_w.dumps(recorded))
    options = command.command_parser().parse_args(["resume", str(tmp_path)])
    config = options.read(options)
    assert (config.seed, config.results.resume, config.results.results_dir) == (7, True, str(tmp_path))


def test_a_folder_that_cannot_be_made_is_named_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(subprocess, "Popen", None)
    (tmp_path / "file").touch()
    assert command.main(["run", "-c", f"results-dir='{tmp_path / 'file' / 'run'}'"]) == 2
    assert "file/run' cannot be made: [Errno 20] Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("mu=0.1", 0.1),
        ("aggregator=filtering", "filtering"),
        ('aggregator="filtering"', "filtering"),
        ("attack=sign-flip(scale=2)+inflated-report", "sign-flip(scale=2)+inflated-report"),
        ("vouched=3, 7", "3, 7"),
        ("data-dir=/data/2026-11-24", "/data/2026-11-24"),
        ("vouched=7", "7"),
        ("resume = true", True),
    ],
)
def test_one_setting_needs_no_quotes_within_quotes(given: str, parsed: object, tmp_path: Path) -> None:
    options = command.command_parser().parse_args(["run", "-c", "mu=0.5 seed=3", "--set", given])
    settings = read_settings(options.run_config, tmp_path).as_settings()
    assert settings[given.partition("=")[0].strip()] == parsed
    assert settings["seed"] == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("mu=much", "mu must be a finite number, got 'much'"),
        ("num-round=1", "unknown setting 'num-round': did you mean 'num-rounds'?"),
        ("num-rounds=2.5", "num-rounds must be a whole number, got 2.5"),
    ],
)
def test_one_wrong_setting_is_named(
    given: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main(["run", "--set", given]) == 2
    assert message in capsys.readouterr().err


def test_a_setting_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["run", "--set", "mu"])
    assert ended.value.code == 2
    assert "must be name=value such as mu=0.1, got 'mu'" in capsys.readouterr().err


def test_all_settings_are_listed_with_default_range_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["settings"]) == 0
    told = capsys.readouterr().out
    assert [name for name in SETTINGS if f"\n{name} = " not in f"\n{told}"] == []
    assert command.main(["settings", "minority", "epsilon"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert told.startswith('minority = "none" one of none, rotated, ')
    assert "epsilon = 0.2 a finite number, at least 0 and below 0.5 The fraction of" in told
    assert command.main(["settings", "epsilom"]) == 2
    assert "did you mean 'epsilon'?" in capsys.readouterr().err


@pytest.mark.slow
def test_a_reader_who_has_had_enough_of_a_list_makes_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    listing = [sys.executable, "-m", "pawbrofl_app.command", "settings", "mu"]
    with subprocess.Popen(listing, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        _, errors = running.communicate()
    assert errors == b""


def test_all_attacks_and_aggregators_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["attacks"]) == 0
    told = capsys.readouterr().out
    assert [name for name in ATTACKS if not re.search(rf"^{name}(\(|$)", told, re.MULTILINE)] == []
    assert command.main(["aggregators"]) == 0
    told = capsys.readouterr().out
    names = (*WEIGHTINGS, *FAIR_WEIGHTINGS, *BASELINES)
    assert [name for name in names if not re.search(rf"^{name}(\(|$)", told, re.MULTILINE)] == []


def test_versions_of_this_project_and_of_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    assert re.match(r"pawbrofl \d+\.\d+\.\d+ \(python 3\.\d+\.\d+, flwr 1\.", capsys.readouterr().out)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_commands_and_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert command.main(["completion", "bash"]) == 0
    (tmp_path / "completion.sh").write_text(capsys.readouterr().out)
    complete = (
        "source ./completion.sh; COMP_WORDS=(pawbrofl {}); COMP_CWORD={}; $(complete -p pawbrofl | "
        "sed -E 's/.*-F ([^ ]+).*/\\1/'); echo ${{COMPREPLY[@]}}"
    )
    for words, place, expected in (("agg", 1, "aggregators"), ("run --eng", 2, "--engine")):
        done = subprocess.run(
            ["bash", "-c", complete.format(words, place)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [expected]
