"""The referee's page: what is counted, in which order, and that its lines repeat its numbers."""

from __future__ import annotations

import math
import shlex
from pathlib import Path

import pandas as pd
import pytest

from experiments.__main__ import main
from experiments.grid.study_run import INTERRUPTED
from experiments.pages import leaderboard
from experiments.pages.leaderboard import (
    CSV,
    WORST_CSV,
    confirmed,
    what_is_recorded,
    whole_cases,
    worst_attacks,
)
from experiments.referee.referee_cells import Verdict

IID, SYNTHETIC = "digits-iid/20/0.2", "even/20/0.2"


def verdict(defence: str, case: str, seed: int, error: float, unattacked: float = 0.0) -> Verdict:
    attack = f"mimic(direction=widest, jitter={error:g})"
    return Verdict(defence, case, attack, 60, seed, error, error, 0.1, unattacked, 0.5, 0.002)


def table(*verdicts: Verdict) -> pd.DataFrame:
    return pd.DataFrame([one.__dict__ for one in verdicts])


def row_of(text: str, defence: str) -> dict[str, str]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[2:]]
    return next(row for row in rows if row["defence"] == f"`{defence}`")


def test_means_are_over_cases_and_intervals_over_seeds() -> None:
    errors = {(1, IID): 1.0, (1, SYNTHETIC): 3.0, (2, IID): 2.0, (2, SYNTHETIC): 6.0}
    shown = leaderboard.leaderboard(
        table(*(verdict("mean", case, seed, error) for (seed, case), error in errors.items()))
    )
    row = row_of(shown, "mean")
    half_width = 12.7062 / math.sqrt(
        2
    )  # Student's t of one degree of freedom, of two values 1 deviation apart
    assert row["mean"] == f"3.00 ± {half_width * math.sqrt(2):.2f}"
    assert row["worst"] == f"4.50 ± {half_width * 3 / math.sqrt(2):.2f}"
    assert row["IID, 20%"] == f"1.50 ± {half_width / math.sqrt(2):.2f}"
    assert "IID, 40%" not in row
    assert (row["no attack"], row["minority missing"], row["ms"]) == (
        "0.00 ± 0.00",
        "0.50 ± 0.00",
        "2.0",
    )


def test_the_least_error_comes_first_and_none_that_fails_has_a_number() -> None:
    shown = leaderboard.leaderboard(
        table(
            verdict("fails", IID, 1, 1.0),
            verdict("fails", SYNTHETIC, 1, math.inf),
            verdict("bad", IID, 1, 5.0),
            verdict("bad", SYNTHETIC, 1, 5.0),
            verdict("good", IID, 1, 2.0),
            verdict("good", SYNTHETIC, 1, 3.0),
        )
    )
    order = [line.split("`")[1] for line in shown.splitlines()[2:]]
    assert order == ["good", "bad", "fails"]
    assert row_of(shown, "fails")["worst"] == "unbounded"
    assert row_of(shown, "fails")["IID, 20%"] == "1.00"


def test_a_case_that_is_not_judged_in_full_is_left_out() -> None:
    verdicts = [
        verdict("mean", IID, 1, 1.0),
        verdict("mean", IID, 2, 1.0),
        verdict("mean", SYNTHETIC, 1, 9.0),
    ]
    assert {one.case for one in whole_cases(verdicts, 2)} == {IID}


def test_the_worst_attack_is_tried_on_draws_by_which_it_was_not_chosen() -> None:
    found = "push(direction=random, length=3, jitter=1)"
    weak = "push(direction=random, length=0.1, jitter=1)"
    rows = table(verdict("mean", SYNTHETIC, 1, 1.0), verdict("mean", SYNTHETIC, 2, 7.0))
    rows["attack"] = [weak, found]
    worst = confirmed(rows)
    assert worst["attack"].tolist() == [found]
    # A fifth of the clients stand 3 spreads away: the plain mean of 20 is off by 0.6 of them.
    assert worst["error"].item() == pytest.approx(0.6 * math.sqrt(16), rel=0.1)
    assert f"`{found}`" in worst_attacks(worst)


@pytest.mark.slow
def test_the_page_is_measured_goes_on_and_is_repeated_by_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leaderboard, "CASES", (SYNTHETIC, "even/20/0.4"))
    monkeypatch.setattr(leaderboard, "BUDGET", 18)
    monkeypatch.setattr(leaderboard, "judged_names", lambda: ["mean", "multi-krum"])
    names = ("recorded", "leaderboard", "worst attacks")
    document = tmp_path / "referee.md"
    document.write_text("".join(f"<!-- {name}: begin -->\n<!-- {name}: end -->\n" for name in names))
    page = ["page", "referee", "--out", str(tmp_path)]
    run = [*page, "--results", str(tmp_path / "results"), "--seeds", "2", "--jobs", "1"]
    assert main([*run, "--minutes", "0"]) == INTERRUPTED
    assert "no case is judged in full yet" in capsys.readouterr().err
    assert main(run) == 0
    assert main([*page, "--check"]) == 0
    recorded = pd.read_csv(tmp_path / CSV)
    assert len(recorded) == 2 * 2 * 2
    assert "2 searches of 18 tries for each of 2 defences in each of 2 cases" in what_is_recorded(
        recorded
    )
    for row in pd.read_csv(tmp_path / WORST_CSV).itertuples():
        capsys.readouterr()
        line = f"referee {row.defence} --case {row.case} --attack {shlex.quote(str(row.attack))}"
        assert main(shlex.split(line)) == 0
        assert f"| {row.error:.2f} |" in capsys.readouterr().out
