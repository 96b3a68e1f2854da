"""The in-process engine's grid: clients keep their state, and failures end no round.

That its numbers are those of Ray is in ``test_simulation.py``.
"""

from __future__ import annotations

from typing import Any

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from pawbrofl_app.engines.in_process import InProcessGrid


def counting_app() -> ClientApp:
    """Adds one to what its state holds, spoils what it was sent, and fails for node 3."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        if context.node_id == 3:
            raise ValueError("no such data")
        so_far: Any = context.state.config_records.get("seen", ConfigRecord({"count": 0}))["count"]
        context.state["seen"] = ConfigRecord({"count": so_far + 1})
        answer = ConfigRecord(
            {
                "count": so_far + 1,
                "sent": message.content.config_records["sent"]["value"],
                "partition": context.node_config["partition-id"],
            }
        )
        message.content.config_records["sent"]["value"] = -1
        return Message(RecordDict({"answer": answer}), reply_to=message)

    return app


@pytest.fixture
def grid() -> InProcessGrid:
    return InProcessGrid(counting_app(), {}, 4)


def test_clients_keep_their_state_and_cannot_spoil_what_others_get(grid: InProcessGrid) -> None:
    shared = RecordDict({"sent": ConfigRecord({"value": 7})})
    for count in (1, 2):
        replies = grid.send_and_receive([Message(shared, node, "query") for node in (1, 2, 4)])
        answers = [reply.content.config_records["answer"] for reply in replies]
        assert [dict(answer) for answer in answers] == [
            {"count": count, "sent": 7, "partition": partition} for partition in (0, 1, 3)
        ]


def test_a_client_that_fails_answers_with_an_error(grid: InProcessGrid) -> None:
    shared = RecordDict({"sent": ConfigRecord({"value": 7})})
    sent = list(grid.push_messages([Message(shared, node, "query") for node in (1, 3)]))
    (first,), (second,) = grid.pull_messages(sent), grid.pull_messages(sent)
    assert not first.has_error()
    assert "no such data" in second.error.reason
    assert second.metadata.reply_to_message_id == sent[1]
    assert list(grid.pull_messages(sent)) == [], "a reply is delivered once"
