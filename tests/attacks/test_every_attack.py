"""What holds for every attack of the registry, and that the registry and its page are complete."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import torch

import attacks
from attacks import ATTACKS, Attack, CombinedAttack, make_attack
from experiments.pages.attack_table import PAGE
from experiments.pages.page import stale_parts

from .conftest import MakeKnowledge

GROUPS_OF_SEVERAL = {"LocalPattern", "CombinedAttack", "Attack", "TailoredAttack"}


@pytest.fixture(params=list(ATTACKS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.mostly_slow(6)
def test_the_update_sent_is_finite_and_in_the_form_of_the_honest_one(
    name: str, make_knowledge: MakeKnowledge
) -> None:
    knowledge = make_knowledge(attacker=1)
    honest = knowledge.own_honest_training().update
    before = [array.copy() for array in honest]
    sent = make_attack(name, {"attacker": 1}).poison_update(honest, knowledge)
    for array, original, kept in zip(sent, honest, before, strict=True):
        assert array.shape == original.shape
        assert array.dtype == original.dtype
        assert np.isfinite(array).all()
        np.testing.assert_array_equal(original, kept, err_msg="the honest update was changed in place")


def test_batches_keep_their_form_and_the_samples_stay(name: str) -> None:
    images = torch.rand(10, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(10)
    originals = images.clone(), labels.clone()
    poisoned, relabelled = make_attack(name, {"attacker": 1}).poison_batch(images, labels)
    assert poisoned.shape == images.shape
    assert poisoned.dtype == images.dtype
    assert relabelled.shape == labels.shape
    assert relabelled.dtype == labels.dtype
    assert 0 <= int(relabelled.min()) <= int(relabelled.max()) <= 9
    assert torch.equal(images, originals[0])
    assert torch.equal(labels, originals[1])


@pytest.mark.mostly_slow(6)
def test_it_changes_what_the_registry_says_and_nothing_else(
    name: str, make_knowledge: MakeKnowledge
) -> None:
    attack, knowledge = make_attack(name, {"attacker": 1}), make_knowledge(attacker=1)
    images, labels = torch.rand(10, 1, 28, 28), torch.arange(10)
    honest = knowledge.own_honest_training()
    poisoned, relabelled = attack.poison_batch(images, labels)
    changed = set()
    if not (torch.equal(poisoned, images) and torch.equal(relabelled, labels)):
        changed.add("data")
    # Longer than honest updates are, so that what is projected shows.
    update = [np.asarray(3 * array, dtype=array.dtype) for array in honest.update]
    sent = attack.poison_update(update, knowledge)
    if not all(np.array_equal(a, b) for a, b in zip(sent, update, strict=True)):
        changed.add("update")
    other_report = knowledge.honest_trainings()[2].report
    if attack.falsify_report(other_report, knowledge) != other_report:
        changed.add("report")
    assert changed == set(ATTACKS[name].changes)
    assert attack.poisons_data == ("data" in changed)


@pytest.mark.mostly_slow(6)
def test_an_attack_repeats_itself(name: str, make_knowledge: MakeKnowledge) -> None:
    runs: list[list[Any]] = []
    for _ in range(2):
        knowledge = make_knowledge(attacker=2)
        honest = knowledge.own_honest_training()
        runs.append(make_attack(name, {"attacker": 2}).poison_update(honest.update, knowledge))
    for once, again in zip(*runs, strict=True):
        np.testing.assert_array_equal(once, again)


def test_every_attack_of_the_package_is_in_the_registry_once() -> None:
    found = set()
    for module in pkgutil.walk_packages(attacks.__path__, "attacks."):
        members = vars(importlib.import_module(module.name)).values()
        found |= {one for one in members if inspect.isclass(one) and issubclass(one, Attack)}
    registered = [entry.make for entry in ATTACKS.values()]
    assert len(set(registered)) == len(registered)
    assert {one.__name__ for one in found} - GROUPS_OF_SEVERAL == {one.__name__ for one in registered}


def test_every_entry_is_complete(name: str) -> None:
    entry = ATTACKS[name]
    assert entry.changes
    assert entry.source
    assert entry.effect
    documented = inspect.getdoc(entry.make) or ""
    own = set(entry.parameters) - {field.name for field in fields(entry.make.__mro__[1])}
    assert all(parameter in documented for parameter in own)


def test_the_page_holds_the_registry_s_table() -> None:
    assert stale_parts(PAGE) == [], "run python -m experiments page attack-table"


def test_names_are_joined_by_plus_and_take_parameters() -> None:
    attack = make_attack("sign-flip(scale=2)+ inflated-report(factor=3, offset=0.5)", {"scale": 9.0})
    assert isinstance(attack, CombinedAttack)
    flip, report = attack.attacks
    assert vars(flip) | vars(report) == {
        "first_round": 1,
        "last_round": None,
        "every": 1,
        "scale": 2.0,
        "factor": 3.0,
        "offset": 0.5,
    }


def test_settings_stand_in_for_parameters_that_are_not_given() -> None:
    settings = {"attacker": 3, "scale": 9.0, "first_round": 4, "unknown": 1}
    attack = make_attack("dba(target=7)", settings)
    assert (vars(attack)["attacker"], vars(attack)["scale"], vars(attack)["target"]) == (3, 9.0, 7)
    assert attack.first_round == 4


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("dda", "got 'dda' .did you mean 'dba'?"),
        ("dba+", "names joined by"),
        ("dba(scale)", "dba takes parameters such as name=value of .*scale"),
        ("dba(strength=2)", "dba takes parameters"),
        ("dba(attacker=2)", "dba takes parameters"),
        ("dba(scale=big)", "attack dba: scale must be a number, got 'big'"),
        ("dba(target=1.5)", "target must be a whole number"),
        ("ipm(strength=0)", "attack ipm: strength must be above 0"),
        ("min-max(direction=up)", "direction must be one of"),
        ("DBA", "names joined by"),
    ],
)
def test_what_is_wrong_is_named(attack: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attack(attack, {"attacker": 0})
