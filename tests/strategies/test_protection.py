"""The log never claims to have found nobody where nobody could have been found."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from strategies import CoalitionFiltering, Mean

from .one_round import BOTH_APIS
from .test_participation import START, reply_of

NONE = "judged malicious: none"


@pytest.fixture(params=BOTH_APIS)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", "flwr")
    return caplog


def warnings(log: pytest.LogCaptureFixture) -> list[str]:
    told = [each.getMessage() for each in log.records if each.levelname == "WARNING"]
    return [line for line in told if "no protection" in line]


@pytest.mark.parametrize("number", [1, 2])
def test_too_few_updates_are_said_once(api: Any, number: int, log: pytest.LogCaptureFixture) -> None:
    way = api()
    for server_round in (1, 2):
        assert way.run(START, [reply_of(n, n == 0) for n in range(number)], server_round) is not None
    assert len(warnings(log)) == 1
    assert "at least 3 updates are needed" in warnings(log)[0]
    assert NONE not in log.text
    assert way.rounds[0].protection.missing


def test_of_three_updates_one_far_out_is_recognised(api: Any, log: pytest.LogCaptureFixture) -> None:
    way = api()
    way.run(START, [reply_of(node, node == 0) for node in range(3)])
    assert [client.judged_malicious for client in way.rounds[0].clients].count(True) == 1
    assert not warnings(log)


def test_updates_that_are_all_the_same_are_said(api: Any, log: pytest.LogCaptureFixture) -> None:
    replies = [reply_of(0, False) for _ in range(10)]
    for node, reply in enumerate(replies):
        reply.node = node
    api().run(START, replies)
    assert "bit for bit the same" in warnings(log)[0]
    assert NONE not in log.text


def test_a_plain_mean_judges_nobody_and_warns_not(api: Any, log: pytest.LogCaptureFixture) -> None:
    api(weighting=Mean()).run(START, [reply_of(node, node < 2) for node in range(10)])
    assert NONE not in log.text
    assert not warnings(log)


@pytest.mark.parametrize("malicious", [0, 2, 3, 4])
def test_what_is_left_far_apart_is_said(api: Any, malicious: int, log: pytest.LogCaptureFixture) -> None:
    """More attackers than epsilon allows for; unlike each other, so that they are no duplicates."""
    way = api(weighting=CoalitionFiltering(0.2))
    way.run(START, [reply_of(node, node < malicious) for node in range(10)])
    counting = sum(c.robust_weight > 0 for c in way.rounds[0].clients if int(c.client) < malicious)
    assert way.rounds[0].protection.num_far_apart == counting
    assert bool(warnings(log)) == (counting > 0)
    assert (malicious > 2) == (counting > 0)


def test_where_all_is_well_the_log_says_so(api: Any, log: pytest.LogCaptureFixture) -> None:
    way = api()
    way.run(START, [reply_of(node, False) for node in range(10)])
    assert NONE in log.text
    assert not way.rounds[0].protection.missing
    assert np.isclose(sum(client.robust_weight for client in way.rounds[0].clients), 1)
