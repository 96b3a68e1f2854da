"""Clients that sent no reply that could be read: who, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flwr.common import (
    Code,
    DisconnectRes,
    EvaluateIns,
    EvaluateRes,
    FitIns,
    FitRes,
    GetParametersIns,
    GetParametersRes,
    GetPropertiesIns,
    GetPropertiesRes,
    ReconnectIns,
)
from flwr.server.client_proxy import ClientProxy

LONGEST_REASON = 200
NOTHING_CAME = "Expected one Message but got: 0"
ERROR_BEGINS = "Message contains an Error (reason: "
ERROR_ENDS = "). It originated during client-side execution of a message."
"""Flower's words where it has no reply to read."""

Reply = TypeVar("Reply", FitRes, EvaluateRes)


class ClientFailure(RuntimeError):
    """A client that was sent a model did not send one back.

    Attributes
    ----------
    client : str
        Its node id.
    reason : str
        In one printable line, as a part of it may be the client's own words.
    replied : bool
        Whether it did send something, which Flower could not read.
    """

    def __init__(self, client: str, reason: str, *, replied: bool = False) -> None:
        super().__init__(f"client {client}: {one_line(reason)}")
        self.client = client
        self.reason = one_line(reason)
        self.replied = replied


class NamedClient(ClientProxy):
    """A client whose failures say whose they are, which Flower's do not."""

    def __init__(self, client: ClientProxy) -> None:
        super().__init__(client.cid)
        self._client = client

    def fit(self, ins: FitIns, timeout: float | None, group_id: int | None) -> FitRes:
        """Have the client train.

        Raises
        ------
        ClientFailure
            Whatever goes wrong: no reply in time, an error in its place, or one that cannot be read.
        """
        return self._reply(lambda: self._client.fit(ins, timeout, group_id))

    def evaluate(self, ins: EvaluateIns, timeout: float | None, group_id: int | None) -> EvaluateRes:
        """Have the client evaluate.

        Raises
        ------
        ClientFailure
            As `fit`.
        """
        return self._reply(lambda: self._client.evaluate(ins, timeout, group_id))

    def _reply(self, ask: Callable[[], Reply]) -> Reply:
        try:
            reply = ask()
        except Exception as problem:
            # What a hostile reply makes Flower raise when it is read is not foreseeable.
            words = str(problem)
            if words.startswith(ERROR_BEGINS):
                reason = words.removeprefix(ERROR_BEGINS).removesuffix(ERROR_ENDS)
                raise ClientFailure(self.cid, reason) from problem
            if words == NOTHING_CAME:
                raise ClientFailure(self.cid, "nothing came") from problem
            reason = f"{type(problem).__name__}: {words}"
            raise ClientFailure(self.cid, reason, replied=True) from problem
        if reply.status.code != Code.OK:
            raise ClientFailure(self.cid, f"{reply.status.code.name}: {reply.status.message}")
        return reply

    def get_properties(
        self, ins: GetPropertiesIns, timeout: float | None, group_id: int | None
    ) -> GetPropertiesRes:
        """Ask for the client's properties."""
        return self._client.get_properties(ins, timeout, group_id)

    def get_parameters(
        self, ins: GetParametersIns, timeout: float | None, group_id: int | None
    ) -> GetParametersRes:
        """Ask for the client's parameters."""
        return self._client.get_parameters(ins, timeout, group_id)

    def reconnect(self, ins: ReconnectIns, timeout: float | None, group_id: int | None) -> DisconnectRes:
        """Ask the client to reconnect."""
        return self._client.reconnect(ins, timeout, group_id)


def one_line(text: str) -> str:
    """Return a text in one line of printable characters, cut off where it is long."""
    line = "".join(c if c.isprintable() else " " for c in text[: 2 * LONGEST_REASON])
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_REASON else f"{line[:LONGEST_REASON]}..."
