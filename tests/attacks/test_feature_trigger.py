"""The trigger in a table: attackers share its features, and it changes nothing else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from attacks import DistributedBackdoor, FeatureTrigger
from attacks.backdoors.centralised import CentralisedBackdoor

LOAN = FeatureTrigger.of([{8: 10.0}, {3: 80.0}, {5: 20.0}, {0: 100.0}, {9: 20.0}, {1: 100.0}])


def set_by(trigger: FeatureTrigger, patterns: list[int] | None) -> dict[int, float]:
    row = trigger.stamp(torch.zeros(1, 12), patterns)[0]
    return {int(column): float(row[column]) for column in row.nonzero()}


def test_as_on_loan_three_groups_of_attackers_set_two_features_each() -> None:
    assert set_by(LOAN, [0]) == {8: 10.0, 3: 80.0}
    assert set_by(LOAN, [1]) == {5: 20.0, 0: 100.0}
    assert set_by(LOAN, [2]) == {9: 20.0, 1: 100.0}
    assert set_by(LOAN, None) == set_by(LOAN, [0]) | set_by(LOAN, [1]) | set_by(LOAN, [2])
    assert len(set_by(LOAN, None)) == 6


@given(data=st.data(), count=st.integers(1, 12))
def test_local_patterns_are_disjoint_even_and_make_the_whole(data: st.DataObject, count: int) -> None:
    columns = data.draw(st.permutations(range(12)))[:count]
    patterns = data.draw(st.integers(1, count))
    trigger = FeatureTrigger.of([{column: 1.0 + column} for column in columns], patterns)
    assert trigger.num_patterns == patterns
    parts = [set_by(trigger, [pattern]) for pattern in range(patterns)]
    assert sum(map(len, parts)) == count
    assert {key: value for part in parts for key, value in part.items()} == set_by(trigger, None)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("attacker", range(7))
def test_attacker_j_sets_pattern_j_mod_3_on_its_share_of_a_batch(attacker: int) -> None:
    attack = DistributedBackdoor(attacker=attacker, target=1, poison_fraction=0.5, trigger=LOAN)
    inputs, labels = attack.poison_batch(torch.zeros(4, 12), torch.zeros(4, dtype=torch.long))
    assert labels.tolist() == [1, 1, 0, 0]
    assert torch.equal(inputs[:2], LOAN.stamp(torch.zeros(2, 12), [attacker % 3]))
    assert not inputs[2:].any()


def test_the_centralised_backdoor_sets_all_features() -> None:
    attack = CentralisedBackdoor(attacker=0, target=1, poison_fraction=1.0, trigger=LOAN)
    inputs, _ = attack.poison_batch(torch.zeros(1, 12), torch.zeros(1, dtype=torch.long))
    assert torch.equal(inputs, LOAN.stamp(torch.zeros(1, 12)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FeatureTrigger(({1: 0.0}, {1: 2.0})), "patterns must set different columns"),
        (lambda: FeatureTrigger(({1: 0.0}, {-1: 2.0})), "patterns must set different columns"),
        (lambda: FeatureTrigger(()), "patterns must each set at least one column"),
        (lambda: FeatureTrigger(({1: 0.0}, {})), "patterns must each set at least one column"),
        (lambda: FeatureTrigger.of([]), "patterns must each set at least one column"),
        (lambda: LOAN.stamp(torch.zeros(2, 9)), "needs rows of at least 10 columns, got .*(9,)"),
        (lambda: LOAN.stamp(torch.zeros(2, 1, 28, 28)), r"got inputs of shape \(1, 28, 28\)"),
    ],
)
def test_what_is_wrong_is_named(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
