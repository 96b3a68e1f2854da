"""The referee: attacks as lines of text, a search that finds weak spots, and verdicts that are kept."""

from __future__ import annotations

import re
import signal
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from experiments.__main__ import main
from experiments.grid.study import InvalidStudy
from experiments.referee.adaptive_search import (
    FINALISTS,
    FIRST_FRESH,
    OF_A_FAMILY,
    UPDATES,
    Found,
    error_of,
    finalists,
    fresh_draws,
    search,
    seconds_of,
    worst_attack,
)
from experiments.referee.attack_families import FAMILIES, spread
from experiments.referee.honest_draws import Case
from experiments.referee.judged_defences import defence_named, judged_names
from experiments.referee.minority_price import minority_error
from experiments.referee.update_attack import UpdateAttack
from tests.conftest import PROJECT

CASE = Case.parse("even/10/0.2")
FRESH = range(FIRST_FRESH, FIRST_FRESH + 3)


def somewhere(family: str, seed: int = 0) -> UpdateAttack:
    place = np.random.default_rng(seed).random(len(FAMILIES[family].parameters))
    return UpdateAttack.at(family, place)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(5))
def test_an_attack_is_its_line_of_text(family: str, seed: int) -> None:
    attack = somewhere(family, seed)
    again = UpdateAttack.parse(str(attack))
    assert again == attack
    honest = CASE.draw(1).honest
    rows = [one.rows(honest, 4, np.random.default_rng(3)) for one in (attack, again)]
    np.testing.assert_array_equal(*rows)
    assert rows[0].shape == (4, honest.shape[1])
    assert np.isfinite(rows[0]).all()


@pytest.mark.parametrize("direction", ["random", "against-mean", "widest", "second-widest"])
def test_lengths_are_in_units_of_the_honest_spread(direction: str) -> None:
    honest = CASE.draw(1).honest
    push = UpdateAttack("push", {"direction": direction, "length": 2.0, "jitter": 0.0})
    rows = push.rows(honest, 3, np.random.default_rng(0))
    distances = np.linalg.norm(rows - honest.mean(axis=0), axis=1)
    np.testing.assert_allclose(distances, 2 * spread(honest))


def test_who_stands_on_the_radius_is_as_far_out_as_the_furthest_honest_client() -> None:
    honest = CASE.draw(1).honest
    attack = UpdateAttack("on-radius", {"direction": "widest", "reach": 1.0, "jitter": 0.5})
    rows = attack.rows(honest, 5, np.random.default_rng(0)) - honest.mean(axis=0)
    furthest = np.linalg.norm(honest - honest.mean(axis=0), axis=1).max()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), furthest)


@pytest.mark.parametrize("text", ["even/10/0.2", "few-directions/20/0.4", "digits-iid/12/0.25"])
def test_a_case_is_its_text(text: str) -> None:
    assert str(Case.parse(text)) == text


def test_fresh_draws_are_others_and_the_same_number_is_the_same() -> None:
    np.testing.assert_array_equal(CASE.draw(1).honest, Case.parse("even/10/0.2").draw(1).honest)
    assert not np.isin(CASE.draw(1).honest, CASE.draw(2).honest).any()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["digits-iid", "digits-dirichlet"])
def test_recorded_updates_are_of_clients_who_learn(kind: str) -> None:
    honest = Case(kind, 10, 0.2).draw(1).honest
    assert len(honest) == 8
    unit = honest / np.linalg.norm(honest, axis=1)[:, None]
    assert (unit @ unit.T).mean() > 0.2


def test_without_attack_the_mean_has_no_error_and_misses_nobody() -> None:
    mean = defence_named("mean")
    assert error_of(mean, CASE, None, FRESH).max() < 1e-5
    assert minority_error(mean, CASE, FRESH) == pytest.approx(0, abs=1e-5)
    assert minority_error(defence_named("multi-krum"), CASE, FRESH) > 0.5


def test_a_defence_that_fails_has_no_bounded_error() -> None:
    def fails(*_: object) -> np.ndarray:
        raise ValueError

    def no_number(x: np.ndarray, *_: object) -> np.ndarray:
        return np.full(x.shape[1], np.nan)

    for defend in (fails, no_number):
        assert np.isinf(error_of(defend, CASE, somewhere("push"), FRESH)).all()


def test_the_search_spends_its_budget_and_finds_a_needle() -> None:
    tried = []

    def harm(attack: UpdateAttack) -> float:
        tried.append(attack)
        if attack.family != "tails":
            return 0.0
        return 1 - abs(float(attack.values["scale"]) - 2.345) - float(attack.values["jitter"])

    found = search(UPDATES, harm, 200, seed=0)
    assert len(tried) == 200
    assert {attack.family for attack in tried} == set(FAMILIES)
    assert found.error == max(map(harm, tried[:200]))
    assert found.error > 0.97
    assert search(UPDATES, harm, 200, seed=0) == found
    assert search(UPDATES, harm, 200, seed=1) != found


def test_the_attacker_finds_more_than_chance_and_it_holds_on_fresh_draws() -> None:
    krum = defence_named("multi-krum")
    found = worst_attack(krum, CASE, 90, seed=0)
    at_random = [error_of(krum, CASE, somewhere(f, 1), FRESH).mean() for f in FAMILIES]
    assert found.error > max(at_random) * 0.9
    assert error_of(krum, CASE, found.attack, FRESH).mean() > np.median(at_random)


def test_finalists_are_the_most_harmful_and_not_all_of_one_family() -> None:
    tried = [
        Found(somewhere(family, seed), error)
        for error, (family, seed) in enumerate(
            [("decoy", 1), ("mimic", 1), ("tails", 1), ("silence", 1), *(("push", s) for s in range(9))]
        )
    ]
    chosen = finalists(tried)
    assert len(chosen) == FINALISTS
    assert [one.error for one in chosen[:OF_A_FAMILY]] == [12, 11]
    assert [one.attack.family for one in chosen[OF_A_FAMILY:]] == ["silence", "tails", "mimic", "decoy"]


def test_what_is_found_is_judged_by_more_draws_than_it_was_tried_on() -> None:
    known: list[float] = []

    def brittle(x: np.ndarray, epsilon: float, root: np.ndarray) -> np.ndarray:
        """Fails on the first two draws that it is shown, and is the plain mean on all others."""
        if root[0] not in known and len(known) < 2:
            known.append(root[0])
        return x.mean(axis=0) + 1e3 * (root[0] in known)

    found = worst_attack(brittle, CASE, 18, seed=0)
    errors = error_of(brittle, CASE, found.attack, range(1, 7))
    assert found.error == pytest.approx(errors.mean())
    assert errors[:2].min() > 1e3 > errors[2:].max()


@pytest.mark.parametrize("seed", [0, 1, 5, 100])
def test_no_search_knows_the_draws_that_confirm_it(seed: int) -> None:
    seen: set[bytes] = set()

    def watched(x: np.ndarray, epsilon: float, root: np.ndarray) -> np.ndarray:
        seen.add(root.tobytes())
        return x.mean(axis=0)

    worst_attack(watched, CASE, 9, seed)
    assert len(seen) == 6
    assert not seen & {CASE.draw(number).root.tobytes() for number in fresh_draws(seed)}


def test_the_time_is_that_of_the_defence() -> None:
    def slow(x: np.ndarray, epsilon: float, root: np.ndarray) -> np.ndarray:
        until = time.process_time() + 0.02
        while time.process_time() < until:
            pass
        return root

    attack = somewhere("push")
    assert 0.02 <= seconds_of(slow, CASE, attack, FRESH) < 0.03
    assert seconds_of(defence_named("mean"), CASE, attack, FRESH) < 0.02


def test_every_defence_is_found_by_its_name_and_one_of_somebodys_own() -> None:
    draw = CASE.draw(1)
    for name in (*judged_names(), "strategies.weightings.norm_clipping:NormClipping(noise=0.1)"):
        mean = defence_named(name)(draw.honest.astype(np.float32), 0.2, draw.root)
        assert mean.shape == draw.root.shape
        assert np.isfinite(mean).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["multi-krumm"], "aggregator must be one of mean, .*did you mean 'multi-krum'"),
        (["collections:Counter"], "aggregator 'collections:Counter' must be a class that inherits"),
        (["mean", "--case", "even"], "case must be KIND/CLIENTS/EPSILON, such as"),
        (["mean", "--case", "even/10/0.5"], "epsilon above 0 and below 0.5, got 'even/10/0.5'"),
        (["mean", "--attack", "mimik(jitter=1)"], "did you mean 'mimic'"),
        (["mean", "--attack", "mimic(jitter=1)"], "mimic must be given direction, jitter, got jitter"),
        (
            ["mean", "--attack", "mimic(direction=up, jitter=1)"],
            "mimic: direction must be one of random",
        ),
    ],
)
def test_what_is_wrong_is_named(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["referee", *arguments]) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.slow
def test_verdicts_are_kept_and_an_attack_is_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ["--results", str(tmp_path), "--case", "even/10/0.2", "--budget", "18", "--jobs", "1"]
    table = tmp_path / "table.csv"
    assert main(["referee", "mean", "multi-krum", *at, "--minutes", "0"]) == 0
    assert "1 of 2 are left; run this again" in capsys.readouterr().out
    assert main(["referee", "mean", "multi-krum", *at, "--csv", str(table)]) == 0
    shown = capsys.readouterr().out.splitlines()
    rows = table.read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["mean", "multi-krum"]
    assert main(["referee", "mean", "multi-krum", *at]) == 0
    assert capsys.readouterr().out.splitlines() == shown  # read, not searched again
    attack = shown[0].partition("0.2: ")[2].rpartition(" (")[0]
    assert main(["referee", "mean", "--case", "even/10/0.2", "--attack", attack]) == 0
    assert shown[0].split()[0] in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGKILL])
def test_a_search_that_is_killed_leaves_no_process(tmp_path: Path, by: signal.Signals) -> None:
    search = ["referee", "mean", "multi-krum", "--case", "even/10/0.2", "--budget", "1000000"]
    command = [sys.executable, "-m", "experiments", *search, "--jobs", "2", "--results", str(tmp_path)]
    process = psutil.Popen(command, cwd=PROJECT)
    while len(started := process.children(recursive=True)) < 3:  # two, and what tracks their resources
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(by)
    process.wait(60)
    gone, _ = psutil.wait_procs(started, timeout=60)
    assert len(gone) == len(started)


def test_an_unknown_attack_raises_by_itself() -> None:
    with pytest.raises(InvalidStudy, match="attack must be of the form"):
        UpdateAttack.parse("mimic(jitter)")
