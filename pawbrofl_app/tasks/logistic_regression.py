"""Logistic regression: one linear layer, a convex problem."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn


class LogisticRegression(nn.Sequential):
    """Class scores that are linear in the inputs.

    Parameters
    ----------
    input_shape : tuple of int
    num_classes : int
    """

    def __init__(self, input_shape: Sequence[int], num_classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(math.prod(input_shape), num_classes))
