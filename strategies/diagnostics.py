"""What the server concluded about each client in a round: for records, logs and operators."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .aggregation import Aggregation
from .branch_state import MAIN
from .protection import Protection
from .replies.client_replies import ClientReply

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class ClientDiagnostics:
    """One client in one round.

    Attributes
    ----------
    client : str
        The partition id that the client reports, or else its node id.
    robust_weight : float
        q, from the robust weighting; the q of a round sum to one.
    weight : float
        What the client's update was finally multiplied with.
    loss_gap : float
        The optimality gap as reported; NaN where the report was no finite number.
    judged_malicious : bool
        Whether q is below half of an equal share, or the reply was left out altogether.
    num_examples : int
        As reported.
    left_out : str
        Why the reply was not aggregated at all; empty where it was.
    branch : int
        The branch of the model that the client was a member of; 0 for the main model. Its weights are
        among that branch's members. On a visit to the main model they are 0, and the client is judged
        by how it looks there.
    node : str
        The id of the node that replied: what it reports as ``client`` is a claim, this is not.
    brought_back_by : str
        What made its update count although the weighting leaves it out, such as "vouching"; empty where
        nothing did.
    """

    client: str
    robust_weight: float
    weight: float
    loss_gap: float
    judged_malicious: bool
    num_examples: int
    left_out: str = ""
    branch: int = MAIN
    node: str = ""
    brought_back_by: str = ""

    @property
    def reason(self) -> str:
        """Why the client was judged malicious; empty where it was not."""
        if self.left_out:
            return f"left out: {self.left_out}"
        return "robust weight below half of an equal share" if self.judged_malicious else ""


@dataclass(frozen=True)
class BranchChange:
    """A client that is given another branch of the model from the next round on.

    Attributes
    ----------
    client : str
        As in `ClientDiagnostics`.
    before, after : int
        The branches, 0 for the main model.
    reason : str
        Why, in words.
    """

    client: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True)
class BranchDiagnostics:
    """What became of branches in a round.

    Attributes
    ----------
    changes : tuple of BranchChange
        Who is given another one.
    opened, closed : tuple of int
        Branches that are new, and those that have no members any more.
    """

    changes: tuple[BranchChange, ...] = ()
    opened: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()


@dataclass(frozen=True)
class RoundDiagnostics:
    """One round of aggregation.

    Attributes
    ----------
    server_round : int
        Number of the round, from 1.
    clients : tuple of ClientDiagnostics
        All that replied, in the order in which they were aggregated.
    training_seconds : float
        From sending the model to receiving the last reply.
    aggregation_seconds : float
        From there to the new model.
    branches : BranchDiagnostics
        Which branches of the model opened and closed, and who moved.
    protection : Protection
        Whether malicious clients could be told from honest ones.
    """

    server_round: int
    clients: tuple[ClientDiagnostics, ...]
    training_seconds: float
    aggregation_seconds: float
    branches: BranchDiagnostics = BranchDiagnostics()
    protection: Protection = Protection()


OnRound = Callable[[RoundDiagnostics], None]
"""The callback that a strategy calls after every round.

One with a method ``on_evaluation(server_round, metrics, where)``, such as ``RoundReport``, is also told
what the server or the clients find that a model achieves; one with a method ``on_end()``, where the
Message API says that training is over.
"""


def tell(callback: Callable[..., object], *arguments: Any) -> None:
    """Call a callback, which is somebody's own: what it raises is logged and ends no training."""
    try:
        callback(*arguments)
    except Exception:
        logging.getLogger("flwr").error("on_round failed, training goes on", exc_info=True)


def tell_evaluation(
    on_round: OnRound | None, server_round: int, metrics: Mapping[str, Any] | None, where: str
) -> None:
    """Tell a callback that wants to know it what a model was found to achieve.

    Parameters
    ----------
    on_round : callable, optional
    server_round : int
        The round that made the model, 0 for the initial one.
    metrics : mapping of str to object, optional
        None or empty where nobody evaluated.
    where : str
        Who evaluated: "server" or "clients".
    """
    on_evaluation = getattr(on_round, "on_evaluation", None)
    if on_evaluation is not None and metrics:
        tell(on_evaluation, server_round, metrics, where)


def tell_end(on_round: OnRound | None) -> None:
    """Tell a callback that wants to know it that training is over."""
    on_end = getattr(on_round, "on_end", None)
    if on_end is not None:
        tell(on_end)


def judged_malicious(robust_weight: float, num_clients: int) -> bool:
    """Return whether a robust weight is below half of the equal share ``1 / num_clients``."""
    return robust_weight < 0.5 / num_clients


@dataclass(frozen=True)
class Verdict:
    """What a reply's update counted for.

    Attributes
    ----------
    robust_weight, weight : float
        As in `ClientDiagnostics`.
    judged_malicious : bool
    brought_back_by : str
    """

    robust_weight: float
    weight: float
    judged_malicious: bool
    brought_back_by: str = ""


def verdicts(aggregation: Aggregation[Any]) -> list[Verdict]:
    """Return the verdict on each update of an aggregation."""
    num_clients = len(aggregation.weights)
    return [
        Verdict(float(q), float(weight), not by and judged_malicious(float(q), num_clients), str(by))
        for q, weight, by in zip(
            aggregation.robust_weights, aggregation.weights, aggregation.brought_back_by, strict=True
        )
    ]


def diagnose(
    replies: Sequence[ClientReply], verdicts: Sequence[Verdict], branches: Sequence[int]
) -> tuple[ClientDiagnostics, ...]:
    """Say of each reply what became of it.

    Parameters
    ----------
    replies : sequence of ClientReply
        All of a round.
    verdicts : sequence of Verdict
        On those that were not left out, in their order.
    branches : sequence of int
        Each reply's `ClientDiagnostics.branch`.
    """
    remaining = iter(verdicts)
    clients = []
    for reply, branch in zip(replies, branches, strict=True):
        verdict = Verdict(0.0, 0.0, True) if reply.left_out else next(remaining)
        clients.append(
            ClientDiagnostics(
                client=reply.client,
                robust_weight=verdict.robust_weight,
                weight=verdict.weight,
                loss_gap=reply.loss_gap,
                judged_malicious=verdict.judged_malicious,
                num_examples=reply.num_examples,
                left_out=reply.left_out,
                branch=branch,
                node=reply.node,
                brought_back_by=verdict.brought_back_by,
            )
        )
    return tuple(clients)


def diagnostics_table(rounds: Iterable[RoundDiagnostics]) -> pd.DataFrame:
    """Return one row for each client of each round, as a pandas DataFrame.

    Parameters
    ----------
    rounds : iterable of RoundDiagnostics
        What a strategy's ``on_round`` was called with.

    Returns
    -------
    DataFrame
        Columns ``round``, ``client``, ``loss_gap``, ``robust_weight``, ``weight``,
        ``judged_malicious``, ``reason``, ``num_examples``.

    Raises
    ------
    ImportError
        Where pandas, which the strategies themselves do not need, is not installed.
    """
    try:
        import pandas as pd
    except ImportError as missing:
        raise ImportError("diagnostics_table needs pandas: pip install pandas") from missing
    columns = ("client", "loss_gap", "robust_weight", "weight", "judged_malicious", "reason")
    rows = [
        {"round": diagnostics.server_round}
        | {name: getattr(client, name) for name in (*columns, "num_examples")}
        for diagnostics in rounds
        for client in diagnostics.clients
    ]
    table = pd.DataFrame(rows, columns=["round", *columns, "num_examples"])
    return table.astype({"judged_malicious": bool})  # as it is with rows
