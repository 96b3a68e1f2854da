"""What the server concluded about each client in a round: for records, logs and operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class ClientDiagnostics:
    """One client in one round.

    Attributes
    ----------
    client : str
        The name that the client goes by: what it reports of itself, or else its node id.
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
    """

    client: str
    robust_weight: float
    weight: float
    loss_gap: float
    judged_malicious: bool
    num_examples: int
    left_out: str = ""


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
    """

    server_round: int
    clients: tuple[ClientDiagnostics, ...]
    training_seconds: float
    aggregation_seconds: float


OnRound = Callable[[RoundDiagnostics], None]


def judged_malicious(robust_weight: float, num_clients: int) -> bool:
    """Return whether a robust weight is below half of the equal share ``1 / num_clients``."""
    return robust_weight < 0.5 / num_clients
