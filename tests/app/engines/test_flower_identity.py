"""What the in-process engine sets on Flower's objects has the effect that it is set for."""

from __future__ import annotations

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID

from pawbrofl_app.engines.flower_identity import act_as_server_of, delivered


def test_messages_come_from_the_server_of_the_run() -> None:
    act_as_server_of(7)
    message = Message(RecordDict(), 3, "train")
    assert (message.metadata.run_id, message.metadata.src_node_id) == (7, SUPERLINK_NODE_ID)


def test_a_reply_refers_to_the_id_that_a_message_was_delivered_with() -> None:
    act_as_server_of(7)
    sent = Message(RecordDict(), 3, "train", ttl=5.0, group_id="2")
    content = RecordDict({"x": ConfigRecord({"y": 1})})
    received = delivered(sent, "17", content)
    assert received.content is content
    assert sent.metadata.message_id == ""
    for name in (
        "run_id",
        "src_node_id",
        "dst_node_id",
        "group_id",
        "created_at",
        "ttl",
        "message_type",
    ):
        assert getattr(received.metadata, name) == getattr(sent.metadata, name)
    reply = Message(RecordDict(), reply_to=received)
    assert reply.metadata.reply_to_message_id == "17"
    assert (reply.metadata.src_node_id, reply.metadata.dst_node_id) == (3, SUPERLINK_NODE_ID)
