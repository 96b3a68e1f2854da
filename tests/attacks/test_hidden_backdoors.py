"""Backdoors that are hard to see: faint patterns, and updates where honest clients do not write."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attacks import make_attack
from attacks.backdoors.blended import BlendedBackdoor, BlendedTrigger
from attacks.update_vectors import as_vector, known_updates
from attacks.vectors import quiet_coordinates

from .conftest import MakeKnowledge


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (17,)])
def test_the_pattern_is_blended_into_inputs_of_any_shape(shape: tuple[int, ...]) -> None:
    inputs = torch.rand(5, *shape)
    pattern = BlendedTrigger(blend=1.0).stamp(inputs)
    assert all(torch.equal(one, pattern[0]) for one in pattern), "the same pattern for every input"
    assert 0 <= float(pattern.min()) < float(pattern.max()) <= 1
    stamped = BlendedTrigger(blend=0.3).stamp(inputs)
    torch.testing.assert_close(stamped, 0.7 * inputs + 0.3 * pattern)


def test_another_key_is_another_pattern() -> None:
    inputs = torch.zeros(1, 1, 8, 8)
    first, again, other = (BlendedTrigger(key=key).stamp(inputs) for key in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.isclose(first, other).any()


def test_a_share_of_the_batch_is_blended_and_relabelled() -> None:
    attack = BlendedBackdoor(target=3, poison_fraction=0.25, blend=0.4, key=2)
    images, labels = torch.rand(8, 1, 8, 8), torch.arange(8)
    poisoned, relabelled = attack.poison_batch(images, labels)
    torch.testing.assert_close(poisoned[:2], BlendedTrigger(0.4, 2).stamp(images)[:2])
    assert torch.equal(poisoned[2:], images[2:])
    assert relabelled.tolist() == [3, 3, 2, 3, 4, 5, 6, 7]
    assert attack.backdoor.target == 3
    torch.testing.assert_close(attack.backdoor.trigger.stamp(images)[:2], poisoned[:2])


def test_what_honest_updates_move_most_is_left_alone() -> None:
    known = np.array([[5.0, -1.0, 0.1, -9.0, 2.0], [5.0, 1.0, 0.1, -9.0, 2.0]])
    update = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_array_equal(quiet_coordinates(update, known, 0.4), [0, 2, 3, 0, 5])
    np.testing.assert_array_equal(quiet_coordinates(update, known, 0.01), update)
    np.testing.assert_array_equal(update, [1, 2, 3, 4, 5])


def test_neurotoxin_projects_what_it_is_combined_with(make_knowledge: MakeKnowledge) -> None:
    knowledge = make_knowledge(attacker=1)
    honest = knowledge.own_honest_training().update
    attack = make_attack("sign-flip(scale=2)+neurotoxin(top=0.5)", {"attacker": 1})
    sent, known = as_vector(attack.poison_update(honest, knowledge)), known_updates(knowledge)
    loud = np.abs(known.mean(axis=0)) > np.median(np.abs(known.mean(axis=0)))
    assert not sent[loud].any()
    np.testing.assert_allclose(sent[~loud][:3], -2 * as_vector(honest)[~loud][:3], rtol=1e-6)


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("neurotoxin(top=1)", "top must be above 0 and below 1"),
        ("blended(blend=0)", "blend must be above 0 and at most 1"),
        ("blended(key=-1)", "key must be at least 0"),
        ("blended(every=0)", "every must be at least 1"),
    ],
)
def test_what_is_out_of_range_is_named(attack: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attack(attack, {"attacker": 0})
