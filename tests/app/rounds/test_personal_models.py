"""Personal models go to checkpoints and back, whatever single clients answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import Context, bytes_to_ndarray

from pawbrofl_app.engines.in_process import InProcessGrid
from pawbrofl_app.rounds.client_sampling import SeededClientManager
from pawbrofl_app.rounds.exchange import Exchange
from pawbrofl_app.rounds.personal_models import PersonalModels


class Keeper(NumPyClient):
    """Client k has k arrays, and takes what it is given."""

    def __init__(self, number: int, called: str, given: dict[int, list[bytes]]) -> None:
        self.number, self.called, self.given = number, called, given

    def get_parameters(self, config: Any) -> Any:
        if self.called == "fails":
            raise ValueError("no such thing")
        return [np.full(2, self.number + 0.5)] * self.number

    def get_properties(self, config: Any) -> Any:
        if config and self.called == "fails":
            raise ValueError("no such thing")
        if config:
            self.given[self.number] = [config[str(k)] for k in range(len(config))]
        return {"partition_id": 2 if self.called == "liar" else self.number}


class Federation:
    """Five clients that answer in this process; some fail, or claim to be client 2."""

    def __init__(self, **called: str) -> None:
        self.given: dict[int, list[bytes]] = {}
        self.called = called
        grid = InProcessGrid(ClientApp(self.client), {}, 5)
        exchange = Exchange(grid)
        self.models = PersonalModels(exchange, SeededClientManager(exchange, 1))

    def client(self, context: Context) -> Any:
        number = int(context.node_config["partition-id"])
        return Keeper(number, self.called.get(f"c{number}", ""), self.given).to_client()


def trained(federation: Federation, *numbers: int) -> None:
    federation.models.trained(str(number + 1) for number in numbers)


def test_those_that_trained_are_fetched_and_the_others_kept() -> None:
    federation = Federation()
    trained(federation, 0, 1, 3)
    first = federation.models.fetch()
    assert {number: len(tensors) for number, tensors in first.items()} == {1: 1, 3: 3}
    np.testing.assert_array_equal(bytes_to_ndarray(first[3][0]), [3.5, 3.5])
    trained(federation, 4)
    assert set(federation.models.fetch()) == {1, 3, 4}
    assert set(federation.models.fetch()) == {1, 3, 4}


def test_one_that_is_not_had_any_more_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    federation = Federation()
    trained(federation, 1, 3)
    assert set(federation.models.fetch()) == {1, 3}
    federation.called = {"c3": "fails"}
    trained(federation, 3)
    assert set(federation.models.fetch()) == {1}
    assert "no personal model of client 3 for checkpoints: " in caplog.text


def test_all_get_back_what_they_handed_out(caplog: pytest.LogCaptureFixture) -> None:
    before, after = Federation(), Federation(c4="fails")
    trained(before, *range(5))
    models = before.models.fetch()
    after.models.give_back({**models, 17: [b"of one that is not there"]})
    assert after.given == {number: models[number] for number in (1, 2, 3)}
    assert "these clients were not given their personal models back: 4, 17" in caplog.text
    assert set(after.models.fetch()) == {1, 2, 3}, "whoever begins anew is not in the next checkpoint"


def test_nobody_gets_the_model_of_a_client_that_two_claim_to_be() -> None:
    federation = Federation(c3="liar")
    trained(federation, *range(5))
    assert set(federation.models.fetch()) == {1, 4}
    federation.models.give_back({2: [b"secret"], 4: [b"own"]})
    assert federation.given == {4: [b"own"]}
