"""Clients that sent no reply that could be read: who, and why."""

from __future__ import annotations

from strategies.flower_log import one_line


class ClientFailure(RuntimeError):
    """A client that was sent a model did not send one back.

    Attributes
    ----------
    client : str
        Its name, by default its node id.
    node : str
        Its node id.
    reason : str
        In one printable line, as a part of it may be the client's own words.
    replied : bool
        Whether it did send something, which Flower could not read.
    left_out : str
        Why nothing of it counts, for the records.
    """

    def __init__(self, client: str, reason: str, *, replied: bool = False, node: str = "") -> None:
        super().__init__(f"client {client}: {one_line(reason)}")
        self.client = client
        self.node = node or client
        self.reason = one_line(reason)
        self.replied = replied
        self.left_out = f"{'unreadable' if replied else 'no'} reply: {self.reason}"
