"""A whole federation in this process: the same ServerApp and ClientApp, without SuperLink or Ray.

Flower's engines carry messages between processes; this one calls the ClientApp where it stands. One
client trains at a time, so it is for tests, small machines, one GPU and studies that run several
federations side by side. The numbers are the same as under Ray, bit for bit, unless clients train in
lock-step (``cohort-size``).
"""

from __future__ import annotations

import contextlib
import copy
import threading
import traceback
from collections.abc import Iterable, Sequence
from logging import ERROR
from typing import TYPE_CHECKING

from flwr.app import Context, Error, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.common import FitIns, FitRes, parameters_to_ndarrays
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.common.logger import log
from flwr.server.client_proxy import ClientProxy
from flwr.server.server import FitResultsAndFailures
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from ..settings.run_config import RunConfig

if TYPE_CHECKING:
    from .cohorts import CohortTraining

RUN_ID = 1
Settings = dict[str, bool | float | int | str]


class InProcessGrid(Grid):
    """Delivers every message to a ClientApp in this process, one at a time.

    Parameters
    ----------
    client_app : ClientApp
        The app of all clients.
    run_config : dict
        The run's settings, as every client sees them.
    num_supernodes : int
        How many clients there are. Their node config holds ``partition-id`` and ``num-partitions``,
        as in Flower's simulations; each keeps its own state from message to message.
    cohorts : CohortTraining, optional
        Trains several clients in lock-step; by default one trains after the other.
    """

    def __init__(
        self,
        client_app: ClientApp,
        run_config: Settings,
        num_supernodes: int,
        cohorts: CohortTraining | None = None,
    ) -> None:
        self._client_app = client_app
        self._cohorts = cohorts
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
        self._replies: dict[str, Message] = {}
        self._num_messages = 0
        # Flower's server for `aggregate_fit` strategies sends from a pool of threads.
        self._one_at_a_time = threading.RLock()
        self.set_run(Run.create_empty(RUN_ID))

    def set_run(self, run: Run) -> None:
        """Make messages name a run; there is no other here."""
        self._run = run
        TaskIdentity.task_id, TaskIdentity.run_id = 1, run.run_id
        TaskIdentity.node_id = SUPERLINK_NODE_ID

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
        """Return the ids of all nodes: their partition's number plus one."""
        return list(self._contexts)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Have each message's client answer it, and return the messages' ids."""
        return [self._answer(message) for message in messages]

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to messages, once each."""
        with self._one_at_a_time:
            return [self._replies.pop(sent) for sent in message_ids if sent in self._replies]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Return the replies to messages. A client here is not interrupted, whatever the timeout."""
        return self.pull_messages(self.push_messages(messages))

    def fit_clients(
        self,
        client_instructions: list[tuple[ClientProxy, FitIns]],
        max_workers: int | None,
        timeout: float | None,
        group_id: int,
    ) -> FitResultsAndFailures:
        """Have the clients of a round train in this thread, in the place of Flower's function.

        ``group_id`` is the round's number. Threads would only wait for each other here.
        """
        results: list[tuple[ClientProxy, FitRes]] = []
        failures: list[tuple[ClientProxy, FitRes] | BaseException] = []
        asked = {int(client.cid) - 1: (client, ins) for client, ins in client_instructions}
        together = [[partition_id] for partition_id in sorted(asked)]
        if self._cohorts is not None:
            together = self._cohorts.cohorts(asked, group_id)
        for cohort in together:
            with self._trained_ahead(cohort, asked[cohort[0]][1], group_id):
                for client, ins in (asked[partition_id] for partition_id in cohort):
                    try:
                        results.append((client, client.fit(ins, timeout, group_id)))
                    except Exception as problem:  # noqa: BLE001  as Flower does
                        failures.append(problem)
        return results, failures

    def _trained_ahead(
        self, cohort: Sequence[int], ins: FitIns, server_round: int
    ) -> contextlib.AbstractContextManager[None]:
        if self._cohorts is None or len(cohort) == 1:
            return contextlib.nullcontext()
        return self._cohorts.trained_ahead(cohort, parameters_to_ndarrays(ins.parameters), server_round)

    def _answer(self, message: Message) -> str:
        with self._one_at_a_time:
            self._num_messages += 1
            message_id = str(self._num_messages)
            message.metadata.__dict__["_message_id"] = message_id
            context = self._contexts[message.metadata.dst_node_id]
            # Strategies may send one record to all clients, and a client may change what it got.
            try:
                reply = self._client_app(copy.deepcopy(message), context)
            except Exception as problem:  # noqa: BLE001  a client's failure is a reply, as elsewhere
                log(ERROR, traceback.format_exc())
                reason = f"{type(problem)}:<'{problem}'>"
                error = Error(ErrorCode.CLIENT_APP_RAISED_EXCEPTION, reason)
                reply = Message(error, reply_to=message)
            reply.metadata.__dict__["_message_id"] = f"{message_id}-reply"
            self._replies[message_id] = reply
        return message_id


def run_in_process(config: RunConfig, server_app: ServerApp | None = None) -> None:
    """Run one federation from its settings to its finished records.

    Parameters
    ----------
    config : RunConfig
    server_app : ServerApp, optional
        By default the project's own.

    Raises
    ------
    InvalidSetting, DataUnavailable
        What the ServerApp raises before the first round.
    """
    from ..client_app import app as client_app
    from ..server_app import app
    from .cohorts import CohortTraining

    settings: Settings = dict(config.as_settings())
    grid = InProcessGrid(client_app, settings, config.federation.num_clients, CohortTraining(config))
    run = app if server_app is None else server_app
    run(grid, Context(RUN_ID, SUPERLINK_NODE_ID, {}, RecordDict(), settings))
