"""Options: what cannot work is refused at once in words that say what can; types know them all."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest
from flwr.app import ArrayRecord, ConfigRecord, Message
from flwr.common import FitIns, ndarrays_to_parameters
from flwr.server import strategy as fit_strategies
from flwr.serverapp import strategy as message_strategies

import strategies.message
from strategies import Adam, Filtering, Mean, PAwBRoFL, PerformanceAware
from strategies.fit_strategy import FedAvgOptions as FitOptions
from strategies.message_strategy import FedAvgOptions as MessageOptions
from strategies.option_checks import FIT_ONLY, MESSAGE_ONLY
from strategies.rounds import RobustRounds
from strategies.typed_options import RobustOptions

from .one_round import BOTH_APIS, AggregateFit, AggregateTrain, NodesOnly
from .test_pawbrofl_strategy import START, honest_replies

BOTH: tuple[Any, ...] = (PAwBRoFL, strategies.message.PAwBRoFL)
either = pytest.mark.parametrize("strategy", BOTH, ids=["aggregate_fit", "aggregate_train"])

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"weighting": "filterin"}, r"weighting must be .*got 'filterin' \(did you mean 'filtering'\?\)"),
    ({"weighting": Filtering}, r"weighting must be .* got the class Filtering \(write Filtering\(\)\)"),
    ({"performance": True}, "performance must be a tilt"),
    ({"performance": PerformanceAware}, "performance must be .* the class PerformanceAware"),
    ({"server_optimizer": Adam}, r"server_optimizer must be .*write Adam\(\)"),
    ({"block_size": 10.5}, "block_size must be a whole number of at least 1, got 10.5"),
    ({"block_size": True}, "block_size must be a whole number"),
    ({"epsilon": None}, "epsilon must be at least 0 and below 0.5, got None"),
    ({"epsilon": "much"}, "epsilon must be"),
    ({"server_learning_rate": "fast"}, "server_learning_rate must be above 0"),
    ({"branches": "two"}, "branches must be a whole number"),
    ({"on_round": 3}, "on_round must be a function"),
    ({"loss_gap_key": None}, "loss_gap_key must be the name of a metric"),
    ({"fraction_evaluate": "all"}, "fraction_evaluate must be between 0 and 1"),
    ({"mu": 0.1, "performance": None}, "mu must be given to the tilt itself"),
    ({"mu": -1.0}, "mu must be above 0"),
]


@either
@pytest.mark.parametrize(("options", "told"), WRONG, ids=lambda value: str(value)[:40])
def test_what_cannot_work_is_refused_at_once(strategy: Any, options: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        strategy(**options)


@either
def test_a_typing_error_is_named_with_what_was_meant(strategy: Any) -> None:
    with pytest.raises(TypeError, match="no option epsilonn; did you mean epsilon"):
        strategy(epsilonn=0.1)


def test_options_of_the_other_api_lead_to_its_import() -> None:
    with pytest.raises(TypeError, match=r"fraction_train.*from strategies\.message import PAwBRoFL"):
        PAwBRoFL(fraction_train=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"fraction_fit.*from strategies import PAwBRoFL"):
        strategies.message.PAwBRoFL(fraction_fit=0.5)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["min_train_nodes", "min_available_nodes"])
def test_least_numbers_of_nodes_are_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be a whole number"):
        strategies.message.PAwBRoFL(**{name: "ten"})  # type: ignore[misc, arg-type]


@either
def test_names_of_weightings_and_the_tilts_own_options_are_accepted(strategy: Any) -> None:
    made = strategy(weighting="filtering", epsilon=0.3, mu=0.7, max_tilt=3.0, preferences={"4": 2.0})
    assert made.weighting == Filtering(0.3)
    assert made.performance == PerformanceAware(0.7, 0.3, max_tilt=3.0, preferences={"4": 2.0})


def test_options_may_be_positional_where_flowers_are() -> None:
    made = strategies.message.PAwBRoFL(0.5, 0.25, epsilon=0.1)
    assert (made.fraction_train, made.fraction_evaluate, made.epsilon) == (0.5, 0.25, 0.1)


@either
def test_the_summary_says_what_is_withstood_and_mu(strategy: Any, caplog: Any) -> None:
    caplog.set_level("INFO", "flwr")
    strategy(epsilon=0.2).summary()
    assert "2 of 10, 20 of 100 clients" in caplog.text
    assert "Mu: 1 / m for m updates" in caplog.text


def test_the_typed_options_are_flowers_and_ours() -> None:
    """Those that mypy knows are those that there are."""
    fit = set(inspect.signature(fit_strategies.FedAvg.__init__).parameters) - {"self"}
    message = set(inspect.signature(message_strategies.FedAvg.__init__).parameters) - {"self"}
    own = set(inspect.signature(RobustRounds.__init__).parameters)
    assert set(FitOptions.__annotations__) == fit
    assert set(MessageOptions.__annotations__) == message
    assert set(RobustOptions.__annotations__) == own - {"self", "flower_positional", "flower_options"}
    assert (fit - message, message - fit) == (FIT_ONLY, MESSAGE_ONLY)


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("api", BOTH_APIS)
@pytest.mark.parametrize("copied", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_a_strategy_can_be_copied_between_rounds(api: Any, copied: Any) -> None:
    way, other = api(branches=2, server_optimizer=Adam()), api()
    way.strategy.on_round = None
    way.run(START, honest_replies())
    other.strategy = copied(way.strategy)
    first, second = (each.run(START, honest_replies(), server_round=2) for each in (way, other))
    for a, b in zip(first, second, strict=True):
        assert (a == b).all()


class ForgetsFit(PAwBRoFL):
    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        return [(client, FitIns(parameters, {})) for client in client_manager.all().values()]


class ForgetsTrain(strategies.message.PAwBRoFL):
    def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
        for node in grid.get_node_ids():
            yield Message(dst_node_id=node, message_type="train", content=config)


class CallsFit(PAwBRoFL):
    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        return super().configure_fit(server_round, parameters, client_manager)[:5]


def test_an_override_that_forgets_super_is_told_before_clients_train() -> None:
    parameters, manager = ndarrays_to_parameters(START), AggregateFit.manager([1, 2])
    with pytest.raises(RuntimeError, match=r"ForgetsFit\.configure_fit must call super\(\)"):
        ForgetsFit().configure_fit(1, parameters, manager)
    with pytest.raises(RuntimeError, match=r"ForgetsTrain\.configure_train must call super\(\)"):
        ForgetsTrain().configure_train(1, ArrayRecord(START), ConfigRecord(), NodesOnly([]))
    assert len(CallsFit().configure_fit(1, parameters, manager)) == 2


@pytest.mark.parametrize("api", BOTH_APIS)
def test_a_callback_that_raises_ends_no_training(api: Any, caplog: Any) -> None:
    way = api(weighting=Mean())

    def broken(_: Any) -> None:
        raise KeyError("mine")

    way.strategy.on_round = broken
    assert way.run(START, honest_replies()) is not None
    assert "on_round failed, training goes on" in caplog.text
    assert "KeyError: 'mine'" in caplog.text


class RobustFitProx(PAwBRoFL, fit_strategies.FedProx):
    """The same for ``aggregate_fit``."""


class RobustProx(strategies.message.PAwBRoFL, message_strategies.FedProx):
    """Robust aggregation of clients that stay near the model they received."""


def test_it_joins_with_another_of_flowers_strategies() -> None:
    made = RobustProx(proximal_mu=0.1, epsilon=0.1)  # type: ignore[call-arg]
    assert (made.proximal_mu, made.epsilon) == (0.1, 0.1)
    with pytest.raises(TypeError, match="no option proximal_nu; did you mean proximal_mu"):
        RobustProx(proximal_nu=0.1)  # type: ignore[call-arg]


def test_joined_with_fedprox_it_is_both() -> None:
    """Clients are told to stay near the model that they received, and an attacker does not count."""
    replies = honest_replies()
    replies[2].model = [a - 100 for a in START]
    message = RobustProx(proximal_mu=0.1, min_train_nodes=2, min_available_nodes=2)  # type: ignore[call-arg]
    fit = RobustFitProx(proximal_mu=0.1, min_fit_clients=1, min_available_clients=1)  # type: ignore[call-arg]
    for way in (AggregateTrain(message), AggregateFit(fit)):
        model = way.run(START, replies)
        assert model is not None
        assert all(np.abs(array - 1).max() < 0.5 for array in model)
    message.summary()
    (asked, *_) = message.configure_train(1, ArrayRecord(START), ConfigRecord(), NodesOnly([1, 2]))
    assert asked.content["config"]["proximal-mu"] == 0.1
    parameters, manager = ndarrays_to_parameters(START), AggregateFit.manager([1, 2])
    ((_, instructions), *_) = fit.configure_fit(1, parameters, manager)
    assert instructions.config["proximal_mu"] == 0.1
