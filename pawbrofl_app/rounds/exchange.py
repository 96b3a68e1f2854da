"""The exchange of messages with clients: one thread sends, looks for replies and gives up in time."""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from flwr.app import Message, RecordDict
from flwr.serverapp import Grid

from .flow_control import FlowControl, Unlimited

SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 3.0
PAUSE_SHARE = 0.05
"""The pause between two looks for replies, as a share of how long replies take."""


@dataclass(frozen=True)
class Request:
    """What a node is to be sent.

    Attributes
    ----------
    node_id : int
    message_type : str
    content : RecordDict
        Requests may share it.
    group_id : str
        The round.
    """

    node_id: int
    message_type: str
    content: RecordDict
    group_id: str


@dataclass(frozen=True)
class _Sent:
    position: int
    node_id: int
    at: float


class _Pace:
    """How long to pause before the next look: the longer, the longer replies take."""

    def __init__(self, now: float) -> None:
        self._quiet_since = now
        self._trip = 0.0

    def replied(self, now: float, sent_at: float) -> None:
        self._quiet_since = now
        self._trip = now - sent_at

    def pause(self, now: float) -> float:
        pause = PAUSE_SHARE * max(self._trip, now - self._quiet_since)
        return min(max(pause, SHORTEST_PAUSE), LONGEST_PAUSE)


class Exchange:
    """Sends requests through a grid and collects their replies.

    Parameters
    ----------
    grid : Grid
    flow_control : callable
        Makes the flow control of a type of messages; by default all of them go out at once.
    """

    def __init__(self, grid: Grid, flow_control: Callable[[], FlowControl] = Unlimited) -> None:
        self._grid = grid
        self._flow_controls: defaultdict[str, FlowControl] = defaultdict(flow_control)

    def node_ids(self) -> Iterable[int]:
        """Return the ids of the nodes that are there now."""
        return self._grid.get_node_ids()

    def ask(
        self, requests: Sequence[Request], timeout: float | None = None
    ) -> Iterator[tuple[int, Message | None]]:
        """Yield each request's position and reply as replies come, then those without one and None.

        A reply is the first that comes from the node that was asked, or an error in its place: for a
        SuperNode that died, it comes when the SuperLink has missed two of its heartbeats.

        Parameters
        ----------
        requests : sequence of Request
            All of one type.
        timeout : float, optional
            Seconds after which replies are not waited for any more. By default a message lives for
            Flower's 12 hours from when it is sent; then Flower's error takes the place of its reply.
        """
        unanswered = set(range(len(requests)))
        unsent = deque(enumerate(requests))
        in_flight: dict[str, _Sent] = {}
        began = now = time.monotonic()
        pace = _Pace(began)
        while unsent or in_flight:
            flow_control = self._flow_controls[requests[0].message_type]
            left = math.inf if timeout is None else timeout - (now - began)
            if left > 0:
                room = min(len(unsent), max(0, flow_control.limit - len(in_flight)))
                batch = [unsent.popleft() for _ in range(int(room))]
                in_flight |= self._send(batch, left, now)
            replies = self._replies(in_flight)
            now = time.monotonic()
            if replies:
                flow_control.replied(len(replies))
                pace.replied(now, replies[-1][0].at)
            elif left <= 0:
                break
            else:
                time.sleep(pace.pause(now))
            for sent, reply in replies:
                unanswered.remove(sent.position)
                yield sent.position, reply
        for position in sorted(unanswered):
            yield position, None

    def _send(
        self, batch: Sequence[tuple[int, Request]], seconds: float, now: float
    ) -> dict[str, _Sent]:
        """Send requests, and return those that the grid takes by the ids of their messages."""
        if not batch:
            return {}
        ttl = None if seconds == math.inf else seconds
        messages = [
            Message(one.content, one.node_id, one.message_type, ttl=ttl, group_id=one.group_id)
            for _, one in batch
        ]
        ids = list(self._grid.push_messages(messages))
        if len(ids) < len(messages):  # which ones are refused, and why, Flower tells in the log only
            taken = set(ids)
            ids = [m.metadata.message_id if m.metadata.message_id in taken else "" for m in messages]
        return {
            message_id: _Sent(position, request.node_id, now)
            for message_id, (position, request) in zip(ids, batch, strict=True)
            if message_id
        }

    def _replies(self, in_flight: dict[str, _Sent]) -> list[tuple[_Sent, Message]]:
        """Take those messages that have a reply out of those in flight, and return both."""
        replies = []
        for reply in self._grid.pull_messages(list(in_flight)) if in_flight else ():
            sent = in_flight.get(reply.metadata.reply_to_message_id)
            if sent and (reply.has_error() or reply.metadata.src_node_id == sent.node_id):
                del in_flight[reply.metadata.reply_to_message_id]
                replies.append((sent, reply))
        return replies
