"""How a run aggregates and evaluates: by its settings, unless an experiment says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from attacks import Backdoor
from strategies import PerformanceAware, Weighting

from .settings.aggregation_settings import BASELINES
from .settings.run_config import RunConfig
from .tasks.evaluation import Evaluation, evaluate
from .tilt import tilt_of
from .weighting import weighting_of

Evaluate = Callable[[nn.Module, Tensor, Tensor, Backdoor], Evaluation]


@dataclass(frozen=True)
class Method:
    """What the server does with replies and with the model they make.

    Attributes
    ----------
    weighting : Weighting or None
        Finds the robust weights. None where the aggregator is one of Flower's own strategies.
    performance : PerformanceAware or None
        The tilt, if any.
    evaluate : callable
        As `evaluation.evaluate`.
    """

    weighting: Weighting | None
    performance: PerformanceAware | None
    evaluate: Evaluate = evaluate


def method_of(config: RunConfig) -> Method:
    """Return the method that the settings describe."""
    if config.aggregation.aggregator in BASELINES:
        return Method(None, None)
    return Method(weighting_of(config), tilt_of(config))
