"""Who is left out round after round: named once, with since when and at what cost."""

from __future__ import annotations

import math
from typing import Any

import pytest

from strategies.diagnostics import ClientDiagnostics
from strategies.repeatedly_left_out import (
    ROUNDS_RUNNING,
    Streaks,
    after_round,
    in_words,
    repeatedly_left_out,
)

from .one_round import BOTH_APIS
from .test_pawbrofl_strategy import START, honest_replies


def of_round(
    judged: str, kept: str = "", damaged: str = "", gap: float = 2.0
) -> list[ClientDiagnostics]:
    """Diagnostics of clients with names of one letter."""
    return [
        *(ClientDiagnostics(name, 0.0, 0.0, gap, True, 9) for name in judged),
        *(ClientDiagnostics(name, 0.5, 0.5, 0.1 * k, False, 9) for k, name in enumerate(kept)),
        *(ClientDiagnostics(name, 0.0, 0.0, math.nan, True, 9, "it is damaged") for name in damaged),
    ]


def after(*rounds: list[ClientDiagnostics], first: int = 1) -> Streaks:
    streaks: Streaks = {}
    for server_round, clients in enumerate(rounds, first):
        streaks = after_round(streaks, server_round, clients)
    return streaks


def named(streaks: Streaks) -> list[str]:
    return [one.client for one in repeatedly_left_out(streaks)]


def test_it_takes_three_rounds_running() -> None:
    assert named(after(*[of_round("ba", "cd")] * (ROUNDS_RUNNING - 1))) == []
    (a, b) = repeatedly_left_out(after(*[of_round("ba", "cde")] * ROUNDS_RUNNING, first=4))
    assert (a.client, a.since_round, a.num_rounds) == ("a", 4, 3)
    assert (b.loss_gap, b.others_gap) == (2.0, 0.1)


def test_one_round_in_which_it_is_kept_ends_it() -> None:
    out, back = of_round("a", "bc"), of_round("", "abc")
    assert named(after(out, out, back, out, out)) == []
    assert repeatedly_left_out(after(out, out, out, back, out, out, out))[0].since_round == 5


def test_rounds_without_it_and_damaged_replies_say_nothing() -> None:
    out, away, damaged = of_round("a", "bc"), of_round("", "bc"), of_round("", "bc", "a")
    streaks = after(out, away, out, damaged, away, out)
    assert named(streaks) == ["a"]
    assert streaks["a"].num_rounds == 3
    assert named(after(damaged, damaged, damaged, damaged)) == []


def test_a_gap_that_is_no_number_costs_nothing_that_is_known() -> None:
    streaks = after(*[of_round("a", "b", gap=math.nan)] * 3)
    assert in_words(repeatedly_left_out(streaks)) == ["a since round 1"]


def test_words_put_together_who_is_left_out_since_the_same_round() -> None:
    streaks = after(of_round("a", "bcd"), *[of_round("abc", "de")] * 3)
    assert in_words(repeatedly_left_out(streaks)) == [
        "a since round 1; median gap 2.0000, of the others 0.0500",
        "b, c since round 2; median gap 2.0000, of the others 0.0500",
    ]


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize(
    ("attacks", "told"),
    [
        ("11011", ""),
        ("110110", "client 2 judged malicious in 4 of its last 6 rounds"),
        ("11010010", ""),
        ("1110110000", "client 2 judged malicious in 5 of its last 6 rounds"),
        ("1111111", ""),
    ],
)
def test_who_is_judged_in_most_rounds_is_named_without_any_callback(
    api: Any, attacks: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once; three rounds running have their own warning."""
    way = api()
    way.strategy.on_round = None
    for server_round, attacked in enumerate(attacks, 1):
        replies = honest_replies()
        if attacked == "1":
            replies[2].model = [a - 100 for a in START]
        way.run(START, replies, server_round)
    warnings = [line for line in caplog.messages if "of its last" in line]
    assert [told in line for line in warnings] == [True] * bool(told)
    assert all("either an attack or an honest minority" in line for line in warnings)


@pytest.mark.parametrize("api", BOTH_APIS)
def test_both_strategies_warn_once(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    replies = honest_replies()
    replies[2].model = [a - 100 for a in START]
    way = api()
    for server_round in range(1, 7):
        way.run(START, replies, server_round)
        warnings = [line for line in caplog.messages if "again and again" in line]
        assert len(warnings) == (server_round >= ROUNDS_RUNNING)
    assert "2 since round 1; median gap" in warnings[0]
    assert "either an attack or an honest minority" in warnings[0]
