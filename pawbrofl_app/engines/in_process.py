"""A whole federation in this process: the same ServerApp and ClientApp, without SuperLink or Ray.

Flower's engines carry messages between processes; this one calls the ClientApp where it stands. One
client trains at a time, so it is for tests, small machines, one GPU and studies that run several
federations side by side. The numbers are the same as under Ray, bit for bit, unless clients train in
lock-step (``cohort-size``).
"""

from __future__ import annotations

import contextlib
import copy
import traceback
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from logging import ERROR

from flwr.app import Context, Error, Message, MessageType, RecordDict
from flwr.clientapp import ClientApp
from flwr.common import parameters_to_ndarrays
from flwr.common.constant import ErrorCode
from flwr.common.logger import log
from flwr.compat.common.recorddict_compat import recorddict_to_fitins
from flwr.serverapp import Grid
from flwr.supercore.run import Run

from .cohorts import CohortTraining
from .flower_identity import act_as_server_of, delivered

RUN_ID = 1
Settings = dict[str, bool | float | int | str]


class InProcessGrid(Grid):
    """Delivers messages to a ClientApp in this process when their replies are looked for.

    Each look has the next client answer, or the next cohort, so that whoever waits for replies sees them
    one by one.

    Parameters
    ----------
    client_app : ClientApp
        The app of all clients.
    run_config : dict
        The run's settings, as every client sees them.
    num_supernodes : int
        How many clients there are. Their node config holds ``partition-id`` and ``num-partitions``,
        as in Flower's simulations; each keeps its own state from message to message.
    lock_step : CohortTraining, optional
        Trains several clients at the same time; by default one trains after the other.
    """

    is_simulation = True

    def __init__(
        self,
        client_app: ClientApp,
        run_config: Settings,
        num_supernodes: int,
        lock_step: CohortTraining | None = None,
    ) -> None:
        self._client_app = client_app
        self._lock_step = lock_step
        self._contexts = {
            node_id: Context(
                run_id=RUN_ID,
                node_id=node_id,
                node_config={"partition-id": node_id - 1, "num-partitions": num_supernodes},
                state=RecordDict(),
                run_config=run_config,
            )
            for node_id in range(1, num_supernodes + 1)
        }
        self._waiting: deque[dict[str, Message]] = deque()
        self._replies: dict[str, Message] = {}
        self._num_messages = 0
        self.set_run(Run.create_empty(RUN_ID))

    def set_run(self, run: Run) -> None:
        """Make messages name a run; there is no other here."""
        self._run = run
        act_as_server_of(run.run_id)

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a new message to a node."""
        return Message(content, dst_node_id, message_type, ttl=ttl, group_id=group_id)

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of all nodes: their partition id plus one."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Take messages to clients, and return the messages' ids."""
        sent = {}
        for message in messages:
            self._num_messages += 1
            sent[str(self._num_messages)] = message
        self._waiting += self._in_cohorts(sent)
        return list(sent)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies that there are, once each; where there are none, have a client answer."""
        ids = list(message_ids)
        while self._waiting and not any(one in self._replies for one in ids):
            self._answer(self._waiting.popleft())
        return [self._replies.pop(one) for one in ids if one in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Return the replies to messages. A client here is not interrupted, whatever the timeout."""
        ids = list(self.push_messages(messages))
        replies: list[Message] = []
        while came := list(self.pull_messages(ids)):
            replies += came
        return replies

    def _in_cohorts(self, sent: dict[str, Message]) -> list[dict[str, Message]]:
        """Return messages by their ids, in groups whose clients answer at once."""
        training = {
            message.metadata.dst_node_id - 1: message_id
            for message_id, message in sent.items()
            if message.metadata.message_type == MessageType.TRAIN
        }
        if self._lock_step is None or len(training) < len(sent) or not sent:
            return [{message_id: message} for message_id, message in sent.items()]
        cohorts = self._lock_step.cohorts(training, _round_of(next(iter(sent.values()))))
        return [
            {training[k]: sent[training[k]] for k in alike}
            for cohort in cohorts
            for alike in _sent_alike(cohort, {k: sent[one].content for k, one in training.items()})
        ]

    def _answer(self, cohort: dict[str, Message]) -> None:
        with self._trained_ahead(list(cohort.values())):
            for message_id, message in cohort.items():
                self._replies[message_id] = self._reply(message_id, message)

    def _trained_ahead(self, cohort: Sequence[Message]) -> contextlib.AbstractContextManager[None]:
        if self._lock_step is None or len(cohort) == 1:
            return contextlib.nullcontext()
        partition_ids = [message.metadata.dst_node_id - 1 for message in cohort]
        received = recorddict_to_fitins(cohort[0].content, keep_input=True)
        return self._lock_step.trained_ahead(
            partition_ids, parameters_to_ndarrays(received.parameters), _round_of(cohort[0])
        )

    def _reply(self, message_id: str, message: Message) -> Message:
        # Strategies may send one record to all clients, and a client may change what it got.
        received = delivered(message, message_id, copy.deepcopy(message.content))
        try:
            return self._client_app(received, self._contexts[message.metadata.dst_node_id])
        except Exception as problem:  # noqa: BLE001  a client's failure is a reply, as elsewhere
            log(ERROR, traceback.format_exc())
            reason = f"{type(problem)}:<'{problem}'>"
            return Message(Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason), reply_to=received)


def _sent_alike(cohort: Sequence[int], contents: Mapping[int, RecordDict]) -> list[list[int]]:
    """Return the clients of a cohort apart by what they are sent: the models of branches differ."""
    alike: dict[int, list[int]] = {}
    for client in cohort:
        alike.setdefault(id(contents[client]), []).append(client)
    return list(alike.values())


def _round_of(message: Message) -> int:
    return int(message.metadata.group_id)
