"""The nodes of a federation as strategies see them."""

from __future__ import annotations

from typing import Any, NoReturn

from flwr.server.client_proxy import ClientProxy


class Node(ClientProxy):
    """A client's node id, which is what a strategy names a client by."""

    def __init__(self, node_id: int) -> None:
        super().__init__(str(node_id))
        self.node_id = node_id

    def _asked_in_messages_only(self, *_: Any, **__: Any) -> NoReturn:
        raise NotImplementedError("the training loop asks clients, with messages")

    fit = evaluate = get_properties = get_parameters = reconnect = _asked_in_messages_only
