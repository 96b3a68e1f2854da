"""What is judged: this project's weightings, Flower's and ByzFL's estimators, or ``module:Class``."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from attacks.named_object import is_own
from pawbrofl_app.settings.aggregation_settings import own_weighting
from strategies import WEIGHTINGS, FLTrust, aggregate, robust_mean
from strategies.arrays import FloatArray

from ..estimators.competitors import Updates, others
from ..grid.study import InvalidStudy

Defend = Callable[[Updates, float, FloatArray], NDArray[Any]]
"""Maps updates (m, d), the malicious fraction and the server's own update to a mean."""

AUTO = "coalition-filtering, auto"
OVER_ROUNDS = ("fldetector",)
"""Those that are the plain mean in a single round; whole training runs judge them."""


def defence_named(text: str) -> Defend:
    """Return the defence of a name of `judged_names`, or of somebody's own.

    Raises
    ------
    InvalidStudy
        For another name, or an object that is no weighting.
    """
    if is_own(text):
        try:
            own_weighting(text, 0.2)
        except ValueError as problem:
            raise InvalidStudy(f"aggregator {problem}") from None
        return lambda x, epsilon, _: np.asarray(aggregate(x, own_weighting(text, epsilon)).mean)
    if text in WEIGHTINGS:
        return lambda x, epsilon, _: np.asarray(robust_mean(x, text, epsilon).mean)
    if text == AUTO:
        return lambda x, _, __: np.asarray(robust_mean(x, epsilon="auto").mean)
    if text == "fltrust":
        return lambda x, _, root: np.asarray(aggregate(x, FLTrust(root)).mean)
    if text in _others():
        estimate = _others()[text]
        return lambda x, epsilon, _: np.asarray(estimate(x, epsilon))
    near = get_close_matches(text, judged_names(), n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    known = ", ".join(judged_names())
    raise InvalidStudy(f"aggregator must be one of {known}, or module:Class, got {text!r}{hint}")


def judged_names() -> list[str]:
    """Return the names of all defences that are judged where none is named."""
    flowers = [name for name in _others() if name not in WEIGHTINGS and not name.endswith("multi-krum")]
    return [*(name for name in WEIGHTINGS if name not in OVER_ROUNDS), AUTO, "fltrust", *flowers]


@cache
def _others() -> dict[str, Any]:
    return {name: estimate for name, estimate in others().items() if name != "mean"}
