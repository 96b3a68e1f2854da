"""What is said of the time left: from the pace of replies, without the engine's start."""

from __future__ import annotations

import pytest

from pawbrofl_app.rounds import round_progress
from pawbrofl_app.rounds.round_progress import RoundProgress, RunProgress


class Clock:
    """Time that passes when told to."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(round_progress, "time", clock)
    return clock


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(round_progress, "log", lambda _, text, *values: said.append(text % values))
    return said


def test_a_line_every_ten_seconds_says_how_long_the_round_will_take(
    clock: Clock, lines: list[str]
) -> None:
    counted = RoundProgress(3, 11)
    for second in range(50, 61):  # the first 50 s are the engine's start; then a reply every second
        clock.now = float(second)
        counted.count()
    assert lines == []
    counted = RoundProgress(4, 100)
    for reply in range(31):
        clock.now = 100.0 + reply
        counted.count()
    assert lines == [
        "round 4: 11 of 100 clients done, about 89 s left",
        "round 4: 21 of 100 clients done, about 79 s left",
        "round 4: 31 of 100 clients done, about 69 s left",
    ]


def test_after_the_first_round_the_time_left_is_a_range_without_and_with_the_engine_s_start(
    clock: Clock, lines: list[str]
) -> None:
    run = RunProgress(5)
    run.start_round(1)
    counted = run.expect_replies(1, 4)
    for second in (50, 52, 54, 56):
        clock.now = float(second)
        counted.count()
    run.start_round(2)
    run.expect_replies(2, 0)
    clock.now = 66.0
    run.start_round(3)
    assert lines == [
        "1 of 5 rounds done, about 32 to 224 s left",
        "2 of 5 rounds done, about 30 s left",
    ]
