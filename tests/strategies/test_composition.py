"""Inside what Flower has: wrappers for differential privacy, clients' mods, partial participation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import flwr.server.strategy as old
import flwr.serverapp.strategy as new
import numpy as np
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.clientapp.mod import LocalDpMod, adaptiveclipping_mod, fixedclipping_mod
from flwr.supercore.differential_privacy import KEY_NORM_BIT
from flwr.supercore.privacy_accounting import (
    NeighboringRelation,
    PrivacyAccountant,
    PrivacyConfig,
    SamplingMethod,
)

import strategies.message
from strategies import Mean, PAwBRoFL

from .one_round import AggregateFit, AggregateTrain, Model, Reply
from .test_pawbrofl_strategy import START, honest_replies

WRAPPERS = [
    "DifferentialPrivacyServerSideFixedClipping",
    "DifferentialPrivacyServerSideAdaptiveClipping",
    "DifferentialPrivacyClientSideFixedClipping",
    "DifferentialPrivacyClientSideAdaptiveClipping",
]
APIS = [(AggregateFit, old), (AggregateTrain, new)]
NO_NOISE: dict[str, Any] = {"noise_multiplier": 0.0, "num_sampled_clients": 10}


def replies_with_norm_bits() -> list[Reply]:
    replies = honest_replies()
    for reply in replies:
        reply.metrics[KEY_NORM_BIT] = 0
    return replies


def wrapped(api: Any, flower: Any, name: str, strategy: Any, clipping_norm: float) -> Any:
    norm = "clipping_norm" if "Fixed" in name else "initial_clipping_norm"
    return api(getattr(flower, name)(strategy, **{norm: clipping_norm}, **NO_NOISE))


@pytest.mark.parametrize(("api", "flower"), APIS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_a_wrapper_that_neither_clips_nor_adds_noise_changes_nothing(
    name: str, api: Any, flower: Any
) -> None:
    replies = replies_with_norm_bits()
    plain = api(weighting=Mean())
    expected = plain.run(START, replies)
    ours = api(weighting=Mean()).strategy
    model = wrapped(api, flower, name, ours, 1000.0).run(START, replies)
    for a, b in zip(model, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize(("api", "flower"), APIS)
@pytest.mark.parametrize("name", WRAPPERS[:2])
def test_a_wrapper_clips_on_the_server_before_updates_are_weighed(
    name: str, api: Any, flower: Any
) -> None:
    inner = api()
    model: Model = wrapped(api, flower, name, inner.strategy, 0.5).run(START, replies_with_norm_bits())
    assert np.sqrt(sum(np.sum(array**2) for array in model)) <= 0.5 * (1 + 1e-5)
    assert len(inner.rounds[0].clients) == 10


@pytest.mark.parametrize(("api", "flower"), APIS)
def test_noise_is_added_to_the_robust_model(api: Any, flower: Any) -> None:
    wrapper = flower.DifferentialPrivacyServerSideFixedClipping(
        api().strategy, noise_multiplier=1.0, clipping_norm=50.0, num_sampled_clients=10
    )
    noisy = api(wrapper).run(START, honest_replies())
    plain = api().run(START, honest_replies())
    assert all(np.isfinite(array).all() for array in noisy)
    assert not any(np.allclose(a, b) for a, b in zip(noisy, plain, strict=True))


def test_flowers_privacy_accounting_refuses_robust_weights() -> None:
    """It holds for FedAvg's equal weights alone, and Flower says so itself."""
    config = PrivacyConfig(
        1e-5, 10, NeighboringRelation.ADD_OR_REMOVE_ONE, SamplingMethod.NO_AMPLIFICATION
    )
    accountant = cast(PrivacyAccountant, SimpleNamespace(config=config))
    with pytest.raises(ValueError, match="strategy using"):
        new.DifferentialPrivacyServerSideFixedClipping(
            strategies.message.PAwBRoFL(), 1.0, 1.0, 10, accountant=accountant
        )


class ModdedClients(AggregateTrain):
    """Rounds in which every reply goes through a client's mod."""

    def __init__(self, mod: Any, strategy: Any) -> None:
        super().__init__(strategy)
        self.mod = mod

    def answer(self, start: Model, contents: Any, server_round: int = 1) -> tuple[Any, Any]:
        answers = []
        for node, message in self.messages(start, list(contents), server_round).items():

            def train(received: Message, _: Context, content: Any = contents[node]) -> Message:
                return Message(content, reply_to=received)

            context = Context(1, node, {}, RecordDict(), {})
            answers.append(self.mod(message, context, train))
        return self.strategy.aggregate_train(server_round, answers)


@pytest.mark.parametrize(
    ("mod", "name"),
    [
        (fixedclipping_mod, "DifferentialPrivacyClientSideFixedClipping"),
        (adaptiveclipping_mod, "DifferentialPrivacyClientSideAdaptiveClipping"),
    ],
)
def test_clients_that_clip_stay_within_the_norm_and_are_aggregated(mod: Any, name: str) -> None:
    inner = AggregateTrain()
    wrapper = wrapped(AggregateTrain, new, name, inner.strategy, 0.5).strategy
    model = ModdedClients(mod, wrapper).run(START, honest_replies())
    assert model is not None
    assert np.sqrt(sum(np.sum(array**2) for array in model)) <= 0.5 * (1 + 1e-5)
    assert not any(client.left_out for client in inner.rounds[0].clients)
    assert inner.rounds[0].clients[9].loss_gap == pytest.approx(0.9)


def test_clients_with_local_privacy_are_aggregated() -> None:
    inner = AggregateTrain()
    mod = LocalDpMod(clipping_norm=10.0, sensitivity=0.01, epsilon=1.0, delta=1e-5)
    model = ModdedClients(mod, inner.strategy).run(START, honest_replies())
    assert model is not None
    assert all(np.abs(array - 1).max() < 0.5 for array in model)
    assert not any(client.left_out for client in inner.rounds[0].clients)


def test_some_of_the_clients_take_part() -> None:
    fit = PAwBRoFL(fraction_fit=0.3, min_fit_clients=1, min_available_clients=10)
    train = strategies.message.PAwBRoFL(fraction_train=0.3, min_train_nodes=1, min_available_nodes=10)
    way = AggregateTrain(train)
    assert len(way.messages(START, range(1, 11))) == 3
    assert AggregateFit(fit).num_asked(START, range(1, 11)) == 3


@pytest.mark.parametrize(("api", "flower"), APIS)
def test_clients_may_change_from_round_to_round(api: Any, flower: Any) -> None:
    way = api()
    model = START
    for server_round, number in ((1, 10), (2, 3), (3, 7)):
        model = way.run(model, honest_replies(number), server_round)
    assert [len(diagnostics.clients) for diagnostics in way.rounds] == [10, 3, 7]
