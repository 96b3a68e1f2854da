"""False reports: what a malicious client says of its own optimality gap.

PAwBRoFL gives more weight to clients that report a larger gap, and leaves open that reports may be
false. These change nothing else, so they combine with attacks on data and updates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .attack import Attack
from .knowledge import Knowledge

if TYPE_CHECKING:
    from clients.local_training import TrainingReport


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

    factor: float = 100.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("factor", 1), ("offset", 0)):
            if not least <= getattr(self, name) < math.inf:
                raise ValueError(
                    f"{name} must be at least {least} and finite, got {getattr(self, name)}"
                )

    def falsify_report(self, report: TrainingReport, knowledge: Knowledge) -> TrainingReport:
        """Inflate the gap."""
        return replace(report, loss_gap=self.factor * abs(report.loss_gap) + self.offset)


@dataclass(frozen=True, kw_only=True)
class DeflatedReport(Attack):
    """Report a smaller gap, to be taken for a client that is served well already.

    Parameters
    ----------
    factor : float, default 0.0
        What the gap is multiplied with, at most 1; below 0 for a negative gap.
    """

    factor: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -math.inf < self.factor <= 1:
            raise ValueError(f"factor must be finite and at most 1, got {self.factor}")

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
