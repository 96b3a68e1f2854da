"""What an operator sees: one row for each client and round, and why somebody was judged malicious."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from strategies import Aggregation, diagnostics_table
from strategies.diagnostics import verdicts

from .one_round import BOTH_APIS
from .test_pawbrofl_strategy import START, honest_replies


@pytest.mark.parametrize("api", BOTH_APIS)
def test_the_table_says_of_each_client_what_became_of_it(api: Any) -> None:
    replies = honest_replies()
    replies[2].model = [a - 100 for a in START]
    replies[5].model = [START[0]]
    way = api()
    for server_round in (1, 2):
        way.run(START, replies, server_round)
    table = diagnostics_table(way.rounds).set_index(["round", "client"])
    assert len(table) == 20
    first = table.loc[1]
    np.testing.assert_allclose(first["robust_weight"].sum(), 1)
    assert first["robust_weight"]["2"] == first["robust_weight"]["5"] == 0
    assert first["loss_gap"]["3"] == pytest.approx(0.3)
    assert list(first.index[first["judged_malicious"]]) == ["2", "5"]
    assert first["reason"]["2"] == "robust weight below half of an equal share"
    assert first["reason"]["5"].startswith("left out: ")
    assert set(first["reason"].drop(["2", "5"])) == {""}
    assert set(first["num_examples"]) == {10}


def test_malicious_is_whose_robust_weight_is_below_half_of_an_equal_share() -> None:
    q = np.array([0.0, 0.0999, 0.1, 0.2, 0.6001])
    judged = [each.judged_malicious for each in verdicts(Aggregation(q, q, q, np.full(5, ""), 0))]
    assert judged == [True, True, False, False, False]


def test_no_rounds_make_an_empty_table() -> None:
    table = diagnostics_table([])
    assert list(table.columns)[:2] == ["round", "client"]
    assert table[table["judged_malicious"]].empty


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        diagnostics_table([])
