"""Instructions as messages and replies as results, by Flower's own conversions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from flwr.app import Message, MessageType, RecordDict
from flwr.common import (
    Code,
    EvaluateRes,
    FitRes,
    GetParametersRes,
    GetPropertiesRes,
)
from flwr.common.constant import MessageTypeLegacy
from flwr.compat.common.recorddict_compat import (
    evaluateins_to_recorddict,
    fitins_to_recorddict,
    getparametersins_to_recorddict,
    getpropertiesins_to_recorddict,
    recorddict_to_evaluateres,
    recorddict_to_fitres,
    recorddict_to_getparametersres,
    recorddict_to_getpropertiesres,
)
from flwr.server.client_proxy import ClientProxy

from .client_failures import ClientFailure
from .exchange import Exchange, Request

Instruction = TypeVar("Instruction")
Result = TypeVar("Result", FitRes, EvaluateRes, GetParametersRes, GetPropertiesRes)


@dataclass(frozen=True)
class Question(Generic[Instruction, Result]):
    """Something that clients can be asked to do.

    Attributes
    ----------
    message_type : str
    write, read : callable
        Turn an instruction into a message's content, and a reply's content into a result.
    """

    message_type: str
    write: Callable[[Instruction], RecordDict]
    read: Callable[[RecordDict], Result]


FIT = Question(
    MessageType.TRAIN,
    partial(fitins_to_recorddict, keep_input=True),
    partial(recorddict_to_fitres, keep_input=False),
)
EVALUATE = Question(
    MessageType.EVALUATE,
    partial(evaluateins_to_recorddict, keep_input=True),
    recorddict_to_evaluateres,
)
GET_PARAMETERS = Question(
    MessageTypeLegacy.GET_PARAMETERS,
    getparametersins_to_recorddict,
    partial(recorddict_to_getparametersres, keep_input=False),
)
GET_PROPERTIES = Question(
    MessageTypeLegacy.GET_PROPERTIES, getpropertiesins_to_recorddict, recorddict_to_getpropertiesres
)


def ask_clients(
    exchange: Exchange,
    question: Question[Instruction, Result],
    instructions: Sequence[tuple[ClientProxy, Instruction]],
    timeout: float | None,
    group_id: str = "",
    on_reply: Callable[[], None] = lambda: None,
) -> tuple[list[tuple[ClientProxy, Result]], list[ClientFailure]]:
    """Have clients do something; return results and failures, each in the instructions' order.

    Parameters
    ----------
    exchange : Exchange
    question : Question
    instructions : sequence of pairs
        As a strategy returns them.
    timeout : float or None
        Seconds that clients have.
    group_id : str
        The round.
    on_reply : callable
        Called when a client is done, or is given up.
    """
    requests = _requests(question, instructions, group_id)
    answers: list[Result | ClientFailure | None] = [None] * len(instructions)
    for position, reply in exchange.ask(requests, timeout):
        client, _ = instructions[position]
        try:
            answers[position] = _read(question, client.cid, reply)
        except ClientFailure as failure:
            answers[position] = failure
        on_reply()
    clients = [client for client, _ in instructions]
    failures = [answer for answer in answers if isinstance(answer, ClientFailure)]
    results = [
        (client, answer)
        for client, answer in zip(clients, answers, strict=True)
        if answer is not None and not isinstance(answer, ClientFailure)
    ]
    return results, failures


def _requests(
    question: Question[Instruction, Any],
    instructions: Sequence[tuple[ClientProxy, Instruction]],
    group_id: str,
) -> list[Request]:
    """Return requests; those with the same instruction share their content."""
    contents: dict[int, RecordDict] = {}
    for _, instruction in instructions:
        if id(instruction) not in contents:
            contents[id(instruction)] = question.write(instruction)
    return [
        Request(client.node_id, question.message_type, contents[id(instruction)], group_id)
        for client, instruction in instructions
    ]


def _read(question: Question[Any, Result], client: str, reply: Message | None) -> Result:
    if reply is None:
        raise ClientFailure(client, "nothing came")
    if reply.has_error():
        raise ClientFailure(client, reply.error.reason or f"error {reply.error.code}")
    try:
        result = question.read(reply.content)
    except Exception as problem:
        # What a hostile reply makes Flower raise when it is read is not foreseeable.
        raise ClientFailure(client, f"{type(problem).__name__}: {problem}", replied=True) from problem
    if result.status.code != Code.OK:
        raise ClientFailure(client, f"{result.status.code.name}: {result.status.message}")
    return result
