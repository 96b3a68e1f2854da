"""What an engine has to set on Flower's objects, and Flower has no public way to set.

A message gets its id from the grid that sends it, and knows its run from the process it is made in; both
are Flower's own affair. `tests/app/engines/test_flower_identity.py` fails where Flower changes it.
"""

from __future__ import annotations

from flwr.app import Message, Metadata, RecordDict
from flwr.app.message import make_message
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.supercore.task_identity import TaskIdentity


def act_as_server_of(run_id: int) -> None:
    """Have messages that this process makes come from the server of a run."""
    TaskIdentity.task_id, TaskIdentity.run_id = 1, run_id
    TaskIdentity.node_id = SUPERLINK_NODE_ID


def delivered(message: Message, message_id: str, content: RecordDict) -> Message:
    """Return a message as its receiver gets it: with an id, to which replies refer."""
    sent = message.metadata
    metadata = Metadata(
        run_id=sent.run_id,
        message_id=message_id,
        src_node_id=sent.src_node_id,
        dst_node_id=sent.dst_node_id,
        reply_to_message_id=sent.reply_to_message_id,
        group_id=sent.group_id,
        created_at=sent.created_at,
        ttl=sent.ttl,
        message_type=sent.message_type,
    )
    return make_message(metadata, content)
