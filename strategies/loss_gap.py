"""The optimality gap that a client reports, measured around whatever training it does.

PAwBRoFL approximates a client's optimality gap ``F_i(theta) - F_i*`` by what its local training gains:
the loss on its own training data under the received model, minus the loss after training.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import SupportsFloat


@dataclass
class LossGap:
    """A client's loss around its training, in the units of its loss.

    Attributes
    ----------
    before, after : float
        The loss under the received model, and after training; NaN until measured.
    """

    before: float = math.nan
    after: float = math.nan

    @property
    def value(self) -> float:
        """The optimality gap, ``before - after``: what to report as the metric ``loss_gap``."""
        return self.before - self.after


@contextmanager
def measure_loss_gap(evaluate: Callable[[], SupportsFloat]) -> Iterator[LossGap]:
    """Measure the optimality gap around the body of a ``with`` statement.

    ::

        with measure_loss_gap(lambda: log_loss(y, model.predict_proba(X))) as gap:
            model.fit(X, y)
        metrics = {"loss_gap": gap.value}

    Parameters
    ----------
    evaluate : callable
        Returns the mean loss of the client's model, as it is at that moment, on the client's training
        data: a float, or a NumPy or PyTorch scalar. It is called twice. With PyTorch, put the model in
        eval mode and switch gradients off in it.

    Yields
    ------
    LossGap
        Its ``value`` is known once the body has ended.
    """
    gap = LossGap(before=float(evaluate()))
    yield gap
    gap.after = float(evaluate())
