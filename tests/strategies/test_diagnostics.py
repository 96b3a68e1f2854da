"""What an operator sees: one row for each client and round, and why somebody was judged malicious."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from flwr.common import Code, EvaluateRes, Status, ndarrays_to_parameters

from strategies import Aggregation, PAwBRoFL, diagnostics_table
from strategies.diagnostics import RoundDiagnostics, verdicts

from .one_round import BOTH_APIS, NamedProxy
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


class Told:
    """A callback that keeps what it is told of evaluations."""

    def __init__(self) -> None:
        self.evaluations: list[tuple[int, dict[str, Any], str]] = []

    def __call__(self, diagnostics: RoundDiagnostics) -> None:
        pass

    def on_evaluation(self, server_round: int, metrics: Mapping[str, Any], where: str) -> None:
        self.evaluations.append((server_round, dict(metrics), where))


def test_a_callback_is_told_what_was_evaluated_and_by_whom() -> None:
    told = Told()
    strategy = PAwBRoFL(
        on_round=told, evaluate_fn=lambda _, model, __: (0.5, {"accuracy": float(model[0][0])})
    )
    strategy.evaluate(0, ndarrays_to_parameters([np.array([0.25])]))
    result = EvaluateRes(Status(Code.OK, ""), 1.0, 5, {})
    strategy.aggregate_evaluate(1, [(NamedProxy("1"), result)], [])
    assert told.evaluations == [
        (0, {"loss": 0.5, "accuracy": 0.25}, "server"),
        (1, {"loss": 1.0}, "clients"),
    ]


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
