"""Attackers who know the defence: what they send is the worst for it of what they tried."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from attacks import Knowledge, make_attack
from attacks.tailored_updates import TailoredAttack, line_maximum
from attacks.update_vectors import as_vector, known_updates
from strategies import robust_mean

from .conftest import MakeKnowledge

TAILORED = ["opt-alie", "opt-ipm"]


@pytest.mark.parametrize("highest", [0.3, 1.0, 5.7, 40.0])
def test_a_line_s_maximum_is_found(highest: float) -> None:
    tried: list[float] = []

    def value(place: float) -> float:
        tried.append(place)
        return -abs(place - highest)

    assert line_maximum(value, 30) == pytest.approx(highest, rel=0.05)
    assert len(tried) == 30
    assert min(tried) >= 0
    assert line_maximum(value, 1) == 0


def omniscient(make_knowledge: MakeKnowledge) -> Knowledge:
    """Knowledge of 12 honest clients, with 3 attackers among 15."""
    of_all = make_knowledge(num_attackers=12)
    return replace(of_all, num_attackers=3, num_clients=15)


def harm(knowledge: Knowledge, update: Any, aggregator: str) -> float:
    """How far three copies of an update move a weighting's mean of the honest ones."""
    known = known_updates(knowledge)
    rows = np.vstack([np.tile(as_vector(update), (3, 1)), known])
    return float(np.linalg.norm(robust_mean(rows, aggregator, 0.2).mean - known.mean(axis=0)))


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize("name", TAILORED)
@pytest.mark.parametrize("aggregator", ["mean", "multi-krum", "coalition-filtering", "flame"])
def test_none_of_many_factors_harms_a_known_weighting_much_more(
    name: str, aggregator: str, make_knowledge: MakeKnowledge
) -> None:
    knowledge = omniscient(make_knowledge)
    attack = make_attack(f"{name}(aggregator={aggregator}, evaluations=30)", {})
    assert isinstance(attack, TailoredAttack)
    honest = knowledge.own_honest_training().update
    found = harm(knowledge, attack.poison_update(honest, knowledge), aggregator)
    known = known_updates(knowledge)
    few = np.linspace(0, 4, 9)
    others = [
        robust_mean(np.vstack([np.tile(attack.sent(known, z), (3, 1)), known]), aggregator, 0.2).mean
        for z in few
    ]
    mean = known.mean(axis=0)
    assert found > 0.7 * max(float(np.linalg.norm(other - mean)) for other in others)


def test_it_is_tailored_to_the_weighting_that_it_names(make_knowledge: MakeKnowledge) -> None:
    knowledge = omniscient(make_knowledge)
    honest = knowledge.own_honest_training().update
    lengths = {
        aggregator: float(
            np.linalg.norm(
                as_vector(
                    make_attack(f"opt-ipm(aggregator={aggregator})", {}).poison_update(honest, knowledge)
                )
            )
        )
        for aggregator in ("mean", "multi-krum")
    }
    assert lengths["mean"] > 10 * lengths["multi-krum"], "a mean follows however far they go"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("opt-alie(aggregator=median)", "method must be one of mean"),
        ("opt-ipm(assumed_epsilon=0.5)", "assumed_epsilon must be at least 0 and below 0.5"),
        ("opt-ipm(evaluations=0)", "evaluations must be at least 1"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attack(text, {})
