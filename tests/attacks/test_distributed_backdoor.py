"""The trigger lies where Xie et al. put it, and each attacker stamps its quarter of it."""

from __future__ import annotations

import pytest
import torch

from attacks import Attack, BarTrigger, DistributedBackdoor


def stamped_pixels(trigger: BarTrigger, patterns: list[int]) -> set[tuple[int, int]]:
    stamped = trigger.stamp(torch.zeros(1, 1, 28, 28), patterns)[0, 0]
    return {(int(row), int(column)) for row, column in stamped.nonzero()}


def test_for_28_by_28_the_bars_are_at_rows_0_and_3_columns_0_to_3_and_6_to_9() -> None:
    bars = [(0, range(4)), (0, range(6, 10)), (3, range(4)), (3, range(6, 10))]
    for pattern, (row, columns) in enumerate(bars):
        assert stamped_pixels(BarTrigger(), [pattern]) == {(row, c) for c in columns}


@pytest.mark.parametrize("trigger", [BarTrigger(), BarTrigger(size=3, gap=1, shift=5)])
def test_the_local_patterns_are_disjoint_and_make_the_whole(trigger: BarTrigger) -> None:
    parts = [stamped_pixels(trigger, [pattern]) for pattern in range(4)]
    whole = stamped_pixels(trigger, [0, 1, 2, 3])
    assert sum(map(len, parts)) == len(whole) == 4 * trigger.size
    assert set.union(*parts) == whole
    assert max(row for row, _ in whole) + 1 == trigger.height
    assert max(column for _, column in whole) + 1 == trigger.width
    assert min(min(pixel) for pixel in whole) == trigger.shift


def test_stamping_copies() -> None:
    images = torch.zeros(2, 1, 28, 28)
    BarTrigger().stamp(images)
    assert not images.any()


def test_a_trigger_larger_than_the_image_is_refused() -> None:
    with pytest.raises(ValueError, match="4 x 10 pixels does not fit images of 8 x 8"):
        BarTrigger().stamp(torch.zeros(1, 1, 8, 8))


@pytest.mark.parametrize("attacker", range(9))
def test_attacker_j_stamps_pattern_j_mod_4(attacker: int) -> None:
    attack = DistributedBackdoor(attacker=attacker, poison_fraction=1.0)
    images, labels = attack.poison_batch(torch.zeros(3, 1, 28, 28), torch.tensor([0, 1, 2]))
    assert labels.tolist() == [2, 2, 2]
    pixels = {(int(row), int(column)) for row, column in images[0, 0].nonzero()}
    assert pixels == stamped_pixels(BarTrigger(), [attacker % 4])


@pytest.mark.parametrize(("batch", "poisoned"), [(64, 20), (10, 3), (5, 2), (1, 1)])
def test_20_of_64_are_poisoned(batch: int, poisoned: int) -> None:
    attack = DistributedBackdoor(attacker=0)
    images, labels = attack.poison_batch(
        torch.zeros(batch, 1, 28, 28), torch.full((batch,), 7, dtype=torch.long)
    )
    assert int((labels == 2).sum()) == poisoned
    assert int(images.flatten(1).any(dim=1).sum()) == poisoned


def test_attack_rounds() -> None:
    assert [Attack(first_round=2, last_round=3).active(n) for n in range(1, 5)] == [
        False,
        True,
        True,
        False,
    ]
    assert Attack().active(10**6)
    comes_and_goes = Attack(first_round=2, last_round=9, every=3)
    assert [n for n in range(1, 12) if comes_and_goes.active(n)] == [2, 5, 8]


@pytest.mark.parametrize(
    ("name", "value"),
    [("poison_fraction", 0.0), ("poison_fraction", 1.5), ("scale", 0.0), ("target", -1)],
)
def test_invalid_arguments_are_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        DistributedBackdoor(attacker=0, **{name: value})  # type: ignore[arg-type]


def test_rounds_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="last_round must be at least first_round 3"):
        Attack(first_round=3, last_round=2)
