"""False reports: what a malicious client says of its own loss and optimality gap.

PAwBRoFL gives more weight to clients that report a larger gap, and leaves open that reports may be
false. These change nothing else, so they combine with attacks on data and updates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from .attack import Attack
from .knowledge import Knowledge, TrainingReport
from .limits import FINITE_AT_LEAST_0, FINITE_AT_LEAST_1, FINITE_AT_MOST_1


@dataclass(frozen=True, kw_only=True)
class HonestReport(Attack):
    """Report what the client would have reported with its own data and honest training."""

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Return the honest report."""
        return knowledge.own_honest_training().report


@dataclass(frozen=True, kw_only=True)
class InflatedReport(Attack):
    """Report a larger gap: ``factor * gap + offset``.

    Parameters
    ----------
    factor : float, default 100.0
        At least 1.
    offset : float, default 0.0
        In units of loss, at least 0.
    """

    factor: float = field(default=100.0, metadata=FINITE_AT_LEAST_1)
    offset: float = field(default=0.0, metadata=FINITE_AT_LEAST_0)

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Inflate the gap."""
        return replace(report, loss_gap=self.factor * abs(report.loss_gap) + self.offset)


@dataclass(frozen=True, kw_only=True)
class InflatedLoss(Attack):
    """Report a larger loss under the received model, ``factor * loss``, and the gap that goes with it.

    Against aggregators that weigh by the loss itself, as q-FFL, AFL and TERM do.

    Parameters
    ----------
    factor : float, default 100.0
        At least 1.
    """

    factor: float = field(default=100.0, metadata=FINITE_AT_LEAST_1)

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Inflate the loss before training, and the gap by as much."""
        inflated = self.factor * report.loss_before
        gap = report.loss_gap + (inflated - report.loss_before)
        return replace(report, loss_before=inflated, loss_gap=gap)


@dataclass(frozen=True, kw_only=True)
class DeflatedReport(Attack):
    """Report a smaller gap, to be taken for a client that is served well already.

    Parameters
    ----------
    factor : float, default 0.0
        What the gap is multiplied with, at most 1; below 0 for a negative gap.
    """

    factor: float = field(default=0.0, metadata=FINITE_AT_MOST_1)

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Deflate the gap."""
        return replace(report, loss_gap=self.factor * abs(report.loss_gap))


@dataclass(frozen=True, kw_only=True)
class InfiniteReport(Attack):
    """Report an infinite gap."""

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Return the report with an infinite gap."""
        return replace(report, loss_gap=math.inf)


@dataclass(frozen=True, kw_only=True)
class NanReport(Attack):
    """Report a gap that is no number."""

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Return the report with NaN for its gap."""
        return replace(report, loss_gap=math.nan)


@dataclass(frozen=True, kw_only=True)
class ColludingReport(Attack):
    """Report the largest gap that an honest client is known to have.

    A larger one would stand out or be cut to what honest clients reach; this gains the most weight of
    all that do not.
    """

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Return the report with the largest known honest gap."""
        honest = [known.report.loss_gap for known in knowledge.honest_trainings()]
        return replace(report, loss_gap=max(honest))
