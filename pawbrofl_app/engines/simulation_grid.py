"""Sends messages into Flower's Ray simulation at less cost to the processors that clients train on.

With a thread for each client of a round, each looks for its own reply ten times a second, and
Flower's simulation, ten times a second, goes through all messages that have no reply yet, once for each
node. Both take processor time from the clients. Here one thread looks for all replies, and no more
messages are under way than keep the actors busy.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.superlink.grid.inmemory_grid import InMemoryGrid

SECONDS_BETWEEN_LOOKS = 0.03
SECONDS_JUDGED_BY = 0.25
LEAST_UNDER_WAY = 4


@dataclass
class _Sent:
    message_id: str
    reply: Message | None = None


class SimulationGrid(Grid):
    """A grid that lets few messages through at a time, and looks for all their replies at once.

    How many are under way doubles whenever half as many have come back in a quarter of a second, in
    which the simulation looks for messages twice: then the actors may have run out of work. Clients that
    train for a second need few, clients that answer at once need many.

    Parameters
    ----------
    grid : Grid
        The simulation's own.
    num_actors : callable
        Returns how many clients may train at the same time, as far as is known.
    """

    def __init__(self, grid: Grid, num_actors: Callable[[], int]) -> None:
        self._grid = grid
        self._num_actors = num_actors
        self._allowed = LEAST_UNDER_WAY
        self._under_way: dict[str, _Sent] = {}
        self._came_at: list[float] = []
        self._changed = threading.Condition()
        self._closed = False
        self._problem: BaseException | None = None

    @contextlib.contextmanager
    def open(self) -> Iterator[SimulationGrid]:
        """Look for replies until the block is left."""
        thread = threading.Thread(target=self._look_for_replies, name="replies", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()
            thread.join()

    def set_run(self, run: Run) -> None:
        """Set the run that messages belong to."""
        self._grid.set_run(run)

    @property
    def run(self) -> Run:
        """The run that messages belong to."""
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """Return a new message to a node."""
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        """Return the ids of all nodes."""
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Send messages without waiting, and return their ids."""
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """Return the replies to messages that are there already."""
        return self._grid.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Send messages one after the other and return the replies that came before the timeout."""
        end = math.inf if timeout is None else time.monotonic() + timeout
        awaited = [sent for message in messages if (sent := self._send(message, end)) is not None]
        with self._changed:
            self._wait(lambda: all(sent.reply is not None for sent in awaited), end)
            for sent in awaited:
                self._under_way.pop(sent.message_id, None)
        return [sent.reply for sent in awaited if sent.reply is not None]

    def _send(self, message: Message, end: float) -> _Sent | None:
        with self._changed:
            if not self._wait(lambda: len(self._under_way) < self._allowed, end):
                return None
            ids = list(self._grid.push_messages([message]))
            if not ids:  # Flower has logged why it refuses the message
                return None
            sent = _Sent(ids[0])
            self._under_way[sent.message_id] = sent
            self._changed.notify_all()
            return sent

    def _wait(self, holds: Callable[[], bool], end: float) -> bool:
        """Wait until something holds or the time is up; raise what looking for replies raised."""
        patience = None if end == math.inf else max(0.0, end - time.monotonic())
        held = self._changed.wait_for(lambda: holds() or self._problem is not None, patience)
        if self._problem is not None:
            raise self._problem
        return held

    def _look_for_replies(self) -> None:
        while not self._closed:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._under_way) or self._closed)
                under_way = set(self._under_way)
            try:
                replies = list(self._grid.pull_messages(under_way))
            except Exception as problem:  # noqa: BLE001  whoever waits for a reply raises it
                with self._changed:
                    self._problem = problem
                    self._changed.notify_all()
                return
            if replies:
                self._deliver(replies)
            time.sleep(SECONDS_BETWEEN_LOOKS)

    def _deliver(self, replies: list[Message]) -> None:
        now = time.monotonic()
        self._came_at = [at for at in self._came_at if now - at < SECONDS_JUDGED_BY] + [now] * len(
            replies
        )
        with self._changed:
            if 2 * len(self._came_at) >= self._allowed:
                self._allowed *= 2
            self._allowed = max(self._allowed, 2 * self._num_actors())
            for reply in replies:
                sent = self._under_way.pop(reply.metadata.reply_to_message_id, None)
                if sent is not None:
                    sent.reply = reply
            self._changed.notify_all()


def simulation_grid(grid: Grid) -> contextlib.AbstractContextManager[Grid]:
    """Return a `SimulationGrid` where a grid is that of a Ray simulation, and else the grid itself."""
    if not isinstance(grid, InMemoryGrid):
        return contextlib.nullcontext(grid)
    return SimulationGrid(grid, _processors_of_ray).open()


def _processors_of_ray() -> int:
    import ray

    if not ray.is_initialized():  # the first messages are sent while it is still starting
        return 1
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return int(resources.get("CPU", 1))
