"""Roles: honest clients do not feel an attack at all, and attackers find each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from attacks import ATTACKS, Attack, Backdoor, BarTrigger, CombinedAttack, Trigger
from attacks.backdoors.erased_corner import CornerTrigger
from attacks.registry import RegisteredAttack
from clients.honest import HonestClient
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of
from clients.training_cache import TrainingCache
from pawbrofl_app.client_app import client_of
from pawbrofl_app.roles import (
    collusion_of,
    evaluated_backdoor,
    malicious_clients,
    too_many_malicious,
)
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.evaluation import evaluate
from pawbrofl_app.tasks.networks import initial_model


@pytest.fixture
def small(defaults: dict[str, Any]) -> dict[str, Any]:
    return defaults | {"network": "perceptron", "local-epochs": 1, "num-clients": 40, "mu": 0.025}


@pytest.mark.mostly_slow(6)
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_honest_clients_send_bit_for_bit_what_they_send_without_an_attack(
    attack: str, small: dict[str, Any]
) -> None:
    attacked = RunConfig.parse(small | {"attack": attack})
    peaceful = RunConfig.parse(small | {"attack": "none"})
    malicious = malicious_clients(attacked)
    chosen = next(client for client in range(40) if client not in malicious)
    model = arrays_of(initial_model(1, "perceptron"))
    one, other = client_of(attacked, chosen), client_of(peaceful, chosen)
    assert type(one) is type(other) is HonestClient
    client_of(attacked, malicious[0]).fit(model, {"server_round": 1})
    sent, expected = (client.fit(model, {"server_round": 1}) for client in (one, other))
    for a, b in zip(sent[0], expected[0], strict=True):
        np.testing.assert_array_equal(a, b)
    assert sent[1:] == expected[1:]


def test_an_attack_draws_nothing_from_the_random_numbers_of_the_process(small: dict[str, Any]) -> None:
    config = RunConfig.parse(small | {"attack": "additive-noise+min-max"})
    attacker = malicious_clients(config)[0]
    state = torch.get_rng_state()
    model = arrays_of(initial_model(1, "perceptron"))
    client_of(config, attacker).fit(model, {"server_round": 1})
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("omniscient", [False, True])
def test_attackers_know_the_malicious_clients_or_where_omniscient_the_honest(
    omniscient: bool, small: dict[str, Any]
) -> None:
    config = RunConfig.parse(small | {"omniscient-attackers": omniscient})
    malicious = malicious_clients(config)
    known: list[int] = []

    def remember(client: int) -> HonestClient:
        known.append(client)
        return client_of(config, client)

    collusion = collusion_of(config, malicious[2], remember)
    assert (collusion.attacker, collusion.num_attackers, collusion.num_clients) == (2, 8, 40)
    assert collusion.known_clients is not None
    collusion.known_clients()
    honest = sorted(set(range(40)) - set(malicious))
    assert known == (honest if omniscient else malicious)


def test_a_malicious_client_has_its_place_among_them_and_the_settings_of_the_run(
    small: dict[str, Any],
) -> None:
    config = RunConfig.parse(small | {"attack": "dba(target=5)+inflated-report", "attack-scale": 3.0})
    client = client_of(config, malicious_clients(config)[3])
    assert isinstance(client, MaliciousClient)
    assert isinstance(client.attack, CombinedAttack)
    backdoor = vars(client.attack.attacks[0])
    assert (backdoor["attacker"], backdoor["target"], backdoor["scale"]) == (3, 5, 3.0)


def test_the_clients_of_an_app_share_its_cache_and_those_of_two_apps_share_none(
    small: dict[str, Any],
) -> None:
    config, cache = RunConfig.parse(small), TrainingCache()
    attacker = client_of(config, malicious_clients(config)[0], cache)
    assert isinstance(attacker, MaliciousClient)
    assert attacker.collusion.known_clients is not None
    assert all(client.cache is cache for client in (attacker, *attacker.collusion.known_clients()))
    one, other = client_of(config, 0), client_of(config, 0)
    assert one.cache is not other.cache


@pytest.mark.parametrize(
    ("attack", "trigger", "target"),
    [
        ("none", BarTrigger(), 2),
        ("label-flip", BarTrigger(), 2),
        ("sign-flip+dba(target=7)", BarTrigger(), 7),
        ("erased-corner(size=3)", CornerTrigger(3), 0),
    ],
)
def test_success_is_measured_by_the_attack_s_own_trigger_and_target(
    small: dict[str, Any], attack: str, trigger: Trigger, target: int
) -> None:
    config = RunConfig.parse(small | {"attack": attack})
    assert evaluated_backdoor(config.threat, load_task("digits")) == Backdoor(trigger, target)


class BottomRow:
    """A trigger that nothing in the project knows: the last row of the image, all bright."""

    def stamp(self, images: Tensor) -> Tensor:
        stamped = images.clone()
        stamped[..., -1, :] = 1.0
        return stamped


@dataclass(frozen=True, kw_only=True)
class BottomRowBackdoor(Attack):
    """A backdoor as somebody might add it: one class, registered by one line."""

    @property
    def backdoor(self) -> Backdoor:
        return Backdoor(BottomRow(), 6)

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return BottomRow().stamp(images), torch.full_like(labels, 6)


class SeesBottomRow(nn.Module):
    """Gives an image class 6 if its last row is all bright, else class 0."""

    def forward(self, images: Tensor) -> Tensor:
        bright = (images[:, 0, -1] == 1).all(dim=1)
        return functional.one_hot(torch.where(bright, 6, 0), 10).float()


@pytest.mark.parametrize("attack", ["bottom-row", "sign-flip+bottom-row+dba"])
def test_a_new_backdoor_needs_its_line_in_the_registry_alone_and_is_measured_by_its_own_trigger(
    attack: str, small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ATTACKS, "bottom-row", RegisteredAttack(BottomRowBackdoor, "here", "shows"))
    threat = RunConfig.parse(small | {"attack": attack}).threat
    backdoor = evaluated_backdoor(threat, load_task("digits"))
    images, labels = torch.zeros(12, 1, 28, 28), torch.arange(12) % 10
    assert evaluate(SeesBottomRow(), images, labels, backdoor).attack_success_rate == 1.0
    bars = Backdoor(BarTrigger(), 6)
    assert evaluate(SeesBottomRow(), images, labels, bars).attack_success_rate == 0.0
    assert ATTACKS["bottom-row"].changes == ("data",)


@pytest.mark.parametrize(
    ("settings", "probabilities"),
    [
        ({}, ""),
        ({"malicious-fraction": 0.25}, "probability 1 and some of 20 rounds with 1"),
        ({"malicious-fraction": 0.25, "aggregator": "mean"}, ""),
        ({"malicious-fraction": 0.25, "attack": "none"}, ""),
        # Of 20 clients 4 are malicious; more than 2 of 10: (C(4,3) C(16,7) + C(4,4) C(16,6)) / C(20,10).
        ({"fraction-fit": 0.5, "num-rounds": 2}, "probability 0.29 and some of 2 rounds with 0.5"),
        ({"fraction-fit": 0.5, "malicious-fraction": 0.1}, ""),
    ],
)
def test_rounds_that_are_likely_to_have_too_many_attackers_are_warned_of(
    defaults: dict[str, Any], settings: dict[str, Any], probabilities: str
) -> None:
    warning = too_many_malicious(RunConfig.parse(defaults | settings))
    assert warning.endswith(probabilities)
    assert bool(warning) == bool(probabilities)
