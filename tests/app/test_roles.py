"""Roles: honest clients do not feel an attack at all, and attackers find each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from attacks import ATTACKS, BackdoorTrigger, CombinedAttack
from attacks.backdoors.erased_corner import CornerTrigger
from clients.honest import HonestClient
from clients.malicious import MaliciousClient
from clients.model_arrays import arrays_of
from pawbrofl_app.client_app import client_of
from pawbrofl_app.roles import collusion_of, evaluated_backdoor, malicious_clients
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.networks import initial_model


@pytest.fixture
def small(defaults: dict[str, Any]) -> dict[str, Any]:
    return defaults | {"network": "perceptron", "local-epochs": 1, "num-clients": 40, "mu": 0.025}


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


@pytest.mark.parametrize(
    ("attack", "trigger", "target"),
    [
        ("none", BackdoorTrigger(), 2),
        ("label-flip", BackdoorTrigger(), 2),
        ("sign-flip+dba(target=7)", BackdoorTrigger(), 7),
        ("erased-corner(size=3)", CornerTrigger(3), 0),
    ],
)
def test_success_is_measured_by_the_attack_s_own_trigger_and_target(
    small: dict[str, Any], attack: str, trigger: object, target: int
) -> None:
    config = RunConfig.parse(small | {"attack": attack})
    assert evaluated_backdoor(config) == (trigger, target)
