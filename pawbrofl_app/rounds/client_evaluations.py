"""What clients say of the global model, or of their personal one, on their own data.

Nothing of it can be trusted, and nothing of it is aggregated: it goes into the records alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from logging import INFO, WARNING
from typing import Any

from flwr.common import EvaluateIns, EvaluateRes
from flwr.common.logger import log
from flwr.server.client_proxy import ClientProxy

from strategies.replies.client_replies import finite_number

from ..records.layout import ClientEvaluation
from .client_failures import ClientFailure
from .client_sampling import CLIENT_ID_KEY
from .exchange import Exchange
from .messages import EVALUATE, ask_clients


def ask_for_evaluations(
    exchange: Exchange,
    server_round: int,
    instructions: Sequence[tuple[ClientProxy, EvaluateIns]],
    timeout: float | None,
    name_of: Callable[[str], str],
) -> list[ClientEvaluation]:
    """Have clients evaluate, and return what they say, in an order that arrival has no part in.

    Parameters
    ----------
    exchange : Exchange
    server_round : int
    instructions : sequence of pairs
        As a strategy's ``configure_evaluate`` returns them, at least one.
    timeout : float or None
        Seconds that a client has.
    name_of : callable
        Gives a node's id a client's name, for those that do not answer.
    """
    log(INFO, "configure_evaluate: sampled %s clients", len(instructions))
    results, failures = ask_clients(exchange, EVALUATE, instructions, timeout, str(server_round))
    log(INFO, "evaluate: received %s results, %s failures", len(results), len(failures))
    failures = [
        ClientFailure(name_of(failure.client), failure.reason, replied=failure.replied)
        for failure in failures
    ]
    evaluations = read_evaluations(results, failures)
    for evaluation in evaluations:
        if evaluation.left_out:
            log(WARNING, "evaluate: left out client %s: %s", evaluation.client, evaluation.left_out)
    return evaluations


def read_evaluations(
    results: Sequence[tuple[ClientProxy, EvaluateRes]], failures: Sequence[ClientFailure]
) -> list[ClientEvaluation]:
    """Check all replies of a round.

    A reply is left out where loss or accuracy are not what they can be, where it does not say whose
    it is, and where several nodes say that they are that client.
    """
    claims = Counter(_number(result.metrics.get(CLIENT_ID_KEY)) for _, result in results)
    read = [_read(client.cid, result, claims) for client, result in results]
    read += [
        ClientEvaluation(failure.client, math.nan, math.nan, 0, failure.left_out) for failure in failures
    ]
    return sorted(read, key=lambda one: (len(one.client), one.client, repr(one)))


def _read(node: str, result: EvaluateRes, claims: Counter[int | None]) -> ClientEvaluation:
    number = _number(result.metrics.get(CLIENT_ID_KEY))
    loss, accuracy = finite_number(result.loss), finite_number(result.metrics.get("accuracy"))
    test_accuracy = finite_number(result.metrics.get("test_accuracy"))
    left_out = ""
    if number is None:
        left_out = f"no metric {CLIENT_ID_KEY} says which client it is"
    elif claims[number] > 1:
        left_out = f"{claims[number]} nodes call themselves client {number}"
    elif not loss >= 0:
        left_out = "the loss is no finite number of at least 0"
    elif not 0 <= accuracy <= 1:
        left_out = "the metric accuracy is no number from 0 to 1"
    if left_out:
        loss = accuracy = math.nan
    if left_out or not 0 <= test_accuracy <= 1:
        test_accuracy = math.nan
    return ClientEvaluation(
        client=node if number is None else str(number),
        loss=loss,
        accuracy=accuracy,
        num_examples=_number(result.num_examples) or 0,
        left_out=left_out,
        test_accuracy=test_accuracy,
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
