"""The measures of fairness: their definitions, and what they do not depend on."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from pawbrofl_app.records.fairness import Fairness


def test_the_worst_tenth_is_of_accuracy_the_lowest_and_of_loss_the_highest() -> None:
    accuracies, losses = [k / 20 for k in range(20)], [float(k) for k in range(20)]
    fairness = Fairness.of(accuracies, losses)
    assert fairness.worst_honest_accuracy == pytest.approx((0 + 1 / 20) / 2)
    assert fairness.worst_honest_loss == 18.5
    assert fairness.honest_loss == 9.5
    assert fairness.honest_loss_variance == pytest.approx(np.var(losses))


@pytest.mark.parametrize(("clients", "worst"), [(1, 1), (9, 1), (10, 1), (11, 2), (30, 3)])
def test_a_tenth_of_the_clients_is_rounded_up(clients: int, worst: int) -> None:
    losses = [1.0] * worst + [0.0] * (clients - worst)
    assert Fairness.of([0.5] * clients, losses).worst_honest_loss == 1.0
    assert Fairness.of([0.5] * clients, [1.0] * (worst - 1) + [0.0] * clients).worst_honest_loss < 1


def test_the_order_of_the_clients_does_not_show_in_any_digit() -> None:
    random = np.random.default_rng(0)
    accuracies, losses = random.random(50), random.exponential(size=50)
    order = random.permutation(50)
    shuffled = Fairness.of(list(accuracies[order]), list(losses[order]))
    assert Fairness.of(list(accuracies), list(losses)) == shuffled


def test_alike_clients_are_served_fairly() -> None:
    fairness = Fairness.of([0.75] * 7, [0.5] * 7)
    assert fairness == Fairness(0.75, 0.75, 0.0, 0.5, 0.5, 0.0)


def test_where_nobody_evaluated_nothing_is_known() -> None:
    assert all(math.isnan(value) for value in dataclasses.astuple(Fairness.of([], [])))
