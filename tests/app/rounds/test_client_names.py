"""Whose a failure is: a client's, by its number, only if nobody else has ever named the same."""

from __future__ import annotations

from flwr.common import Code, FitRes, Parameters, Status
from flwr.server.client_proxy import ClientProxy

from pawbrofl_app.rounds.client_names import ClientNames
from pawbrofl_app.rounds.nodes import Node


def reply(node_id: int, number: object) -> tuple[ClientProxy, FitRes]:
    metrics = {"partition_id": number}
    return Node(node_id), FitRes(Status(Code.OK, ""), Parameters([], ""), 1, metrics)  # type: ignore[arg-type]


def test_a_node_goes_by_the_number_that_it_names_and_without_one_by_its_id() -> None:
    names = ClientNames()
    names.learn([reply(101, 7), reply(102, "3"), reply(103, True)])
    assert [names.of(node) for node in ("101", "102", "103", "104")] == ["7", "102", "103", "104"]


def test_who_named_another_s_number_puts_no_failure_on_it() -> None:
    names = ClientNames()
    names.learn([reply(101, 7), reply(102, 8)])
    names.learn([reply(102, 7)])
    assert names.of("102") == "102", "it may be a liar"
    assert names.of("101") == "101", "so may this one"
    names.learn([reply(102, 8)])
    assert names.of("102") == "8"
