"""Whatever arrives: no crash, no model that is not finite, and a reason beside every client's name."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator

import pytest
from flwr.server.strategy import FedAvg, Krum

from experiments.pages import hostile_replies
from experiments.pages.hostile_kinds import KINDS, MARKER, Kind
from experiments.pages.hostile_replies import FINE, KEPT, REPEATED, RUINED
from experiments.pages.page import DOCS

TOO_MANY = "the opposite, tenfold, from four: more than epsilon"
EXPECTED = {
    "NaN, from all ten": KEPT,
    "NaN, from nine of the ten": KEPT,  # more than half of the rest may be malicious
    "nothing in time, from all ten": REPEATED,
    TOO_MANY: RUINED,
}


def ids(kind: Kind) -> str:
    return kind.name


@pytest.fixture(scope="module", autouse=True)
def each_round_is_played_once() -> Iterator[None]:
    """The table and the tests of single kinds are about the same rounds."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("with_pawbrofl", "with_flower"):
            patch.setattr(hostile_replies, name, functools.cache(getattr(hostile_replies, name)))
        yield


def documented() -> Iterator[list[str]]:
    begin, end = "<!-- hostile replies: begin -->", "<!-- hostile replies: end -->"
    page = (DOCS / hostile_replies.PAGE.document).read_text()
    for line in page.partition(begin)[2].partition(end)[0].splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("kind", KINDS, ids=ids)
def test_a_round_ends_well_whatever_two_of_ten_send(kind: Kind) -> None:
    outcome = hostile_replies.with_pawbrofl(kind)
    assert outcome.result == EXPECTED.get(kind.name, FINE)
    assert outcome.said
    assert outcome.said.isprintable()
    assert MARKER not in os.environ


def test_there_are_at_least_30_kinds_and_none_twice() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 30


@pytest.mark.slow
def test_flowers_strategies_fail_on_many_of_them() -> None:
    """The kinds are hostile indeed: what the round survives here is no matter of course."""
    for strategy in (FedAvg, Krum):
        results = [hostile_replies.with_flower(kind, strategy).result for kind in KINDS]
        assert sum(result.startswith("crash") for result in results) >= 10
        assert "not finite" in results


@pytest.mark.slow
def test_the_documents_table_is_that_of_the_command() -> None:
    _, _, *rows = documented()
    now = [line for line in hostile_replies.table().splitlines()[2:] if line.startswith("|")]
    assert [row[:3] for row in rows] == [
        [cell.strip() for cell in line.strip("|").split("|")][:3] for line in now
    ]
