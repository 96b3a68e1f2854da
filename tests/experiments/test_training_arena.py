"""The referee's second arena: families are attacks of the app, runs are kept, other runs confirm."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attacks import make_attack
from experiments.__main__ import main
from experiments.pages import training_leaderboard
from experiments.referee.training_arena import (
    KINDS,
    Outcome,
    TrainingArena,
    TrainingVerdict,
    confirming_seeds,
    judge_training,
)
from experiments.referee.training_families import AGAINST_ACCURACY, BACKDOORS, TrainingFamily

FAMILIES = {**AGAINST_ACCURACY, **BACKDOORS}
CASE = "digits-iid/10/0.2"


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize("corner", [0.0, 0.5, 1.0])
def test_every_place_of_a_family_is_an_attack_of_the_app(family: TrainingFamily, corner: float) -> None:
    text = family.at(np.full(len(family.parameters), corner))
    attack = make_attack(text, {"attacker": 0})
    assert (attack.backdoor is not None) == (family in BACKDOORS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_of_the_case_and_its_attackers_know_everything(kind: str, tmp_path: Path) -> None:
    folder = TrainingArena("multi-krum", f"{kind}/15/0.4", tmp_path).folder("alie(z=2)", 3)
    config = folder.cell.config
    assert config.federation.num_clients == 15
    assert config.threat.malicious_fraction == config.aggregation.epsilon == 0.4
    assert config.threat.omniscient_attackers
    assert (config.aggregation.aggregator, config.threat.attack) == ("multi-krum", "alie(z=2)")
    assert kind == f"{config.data.dataset}-{config.data.partition}"
    assert config.seed == 3
    others = [
        TrainingArena("multi-krum", f"{kind}/15/0.4", tmp_path).folder("alie(z=1)", 3),
        TrainingArena("multi-krum", f"{kind}/15/0.4", tmp_path).folder("alie(z=2)", 4),
        TrainingArena("no-regret", f"{kind}/15/0.4", tmp_path).folder("alie(z=2)", 3),
        TrainingArena("multi-krum", f"{kind}/15/0.2", tmp_path).folder("alie(z=2)", 3),
    ]
    assert len({folder.path, *(other.path for other in others)}) == 5


def test_each_search_has_its_goal_and_other_runs_confirm_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def run(self: TrainingArena, attack: str, seed: int) -> Outcome:
        asked.append((attack, seed))
        ipm = re.match(r"ipm\(strength=([\d.]+)", attack)
        blend = re.match(r"blended\(blend=([\d.]+)", attack)
        return Outcome(
            1 - float(ipm[1]) / 20 if ipm else 0.9, float(blend[1]) if blend else 0.01 * (seed > 1)
        )

    monkeypatch.setattr(TrainingArena, "run", run)
    verdict = judge_training(tmp_path, "mean", CASE, 30, 1)
    assert verdict.accuracy_attack.startswith("ipm")
    assert verdict.accuracy < 0.7
    assert verdict.backdoor.startswith("blended")
    assert verdict.success > 0.45
    assert verdict.unattacked == 0.9
    assert [seed for _, seed in asked[:60]] == [1] * 60
    confirming = list(confirming_seeds(1))
    assert asked[60:] == [
        (attack, seed)
        for attack in (verdict.accuracy_attack, verdict.backdoor, "none")
        for seed in confirming
    ]
    assert 1 not in confirming
    assert not set(confirming) & set(confirming_seeds(2))


def test_a_row_of_the_page_holds_means_and_the_worst_attacks() -> None:
    verdicts = [
        TrainingVerdict("flame", CASE, 10, 1, "alie(z=1)", 0.5, "dba", 0.9, 0.9),
        TrainingVerdict("flame", CASE, 10, 2, "alie(z=2)", 0.7, "blended", 0.5, 0.8),
        TrainingVerdict("mean", CASE, 10, 1, "ipm", 0.1, "dba", 1.0, 0.9),
    ]
    table = pd.DataFrame([vars(verdict) for verdict in verdicts])
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in training_leaderboard.worst_runs(table).splitlines()
    ]
    assert rows[2] == [f"`{CASE}`", "`flame`", "0.85", "0.60", "`alie(z=1)`", "0.70", "`dba`"]
    assert rows[3][1:4] == ["`mean`", "0.90", "0.10"]


def test_what_the_page_compares_is_known_before_anything_is_run() -> None:
    for case in training_leaderboard.CASES:
        for defence in training_leaderboard.DEFENCES:
            TrainingArena(defence, case, Path())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["krum"], "aggregator must be one of .*got 'krum'"),
        (["mean", "--case", "digits/10/0.2"], "with a kind of digits-iid, digits-dirichlet, adult-iid"),
        (["mean", "--attack", "alie(y=1)"], "alie takes parameters such as name=value"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["referee", "--arena", "training", *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
def test_an_attack_is_tried_in_real_runs_which_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["referee", "mean", "fed-median", "--arena", "training", "--case", "digits-iid/5/0.2"]
    command += ["--results", str(tmp_path), "--jobs", "1", "--attack", "ipm(strength=20)"]
    assert main(command) == 0
    table = capsys.readouterr().out
    accuracies = {
        cells[1].strip(): float(cells[3])
        for cells in (line.split("|") for line in table.splitlines()[2:])
    }
    assert accuracies["mean"] < 0.3 < 0.6 < accuracies["fed-median"]
    summaries = {path: path.stat().st_mtime for path in tmp_path.rglob("summary.json")}
    assert len(summaries) == 2 * len(confirming_seeds(1))
    assert main(command) == 0
    assert capsys.readouterr().out == table
    assert {path: path.stat().st_mtime for path in tmp_path.rglob("summary.json")} == summaries
