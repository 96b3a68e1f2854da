"""What a strategy is given is refused at once where it cannot work, in words that say what can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from inspect import Parameter, isclass, signature
from typing import Any

from .checks import require
from .epsilon import Epsilon
from .performance_aware import PerformanceAware
from .server_optimizers import ServerOptimizer
from .tilt import Tilt
from .weightings import RECOMMENDED, WEIGHTINGS, Weighting, weighting_named

RECOMMENDED_TILT = PerformanceAware()
"""The default tilt; a strategy with another epsilon bounds the reports accordingly."""

FIT_ONLY = frozenset(
    [
        "accept_failures",
        "evaluate_fn",
        "evaluate_metrics_aggregation_fn",
        "fit_metrics_aggregation_fn",
        "fraction_fit",
        "initial_parameters",
        "inplace",
        "min_available_clients",
        "min_evaluate_clients",
        "min_fit_clients",
        "on_evaluate_config_fn",
        "on_fit_config_fn",
    ]
)
MESSAGE_ONLY = frozenset(
    [
        "arrayrecord_key",
        "configrecord_key",
        "evaluate_metrics_aggr_fn",
        "fraction_train",
        "min_available_nodes",
        "min_evaluate_nodes",
        "min_train_nodes",
        "train_metrics_aggr_fn",
        "weighted_by_key",
    ]
)


def explained(strategy: type, given: dict[str, Any], problem: TypeError) -> TypeError:
    """Return what Flower raised about a strategy's options, with what was probably meant."""
    known = _options_of(strategy)
    unknown = [name for name in given if name not in known]
    if not unknown:
        return problem
    other = {name for name in unknown if name in FIT_ONLY | MESSAGE_ONLY}
    if other:
        message = "min_train_nodes" not in known
        api, module = ("the Message API", ".message") if message else ("aggregate_fit projects", "")
        return TypeError(
            f"{', '.join(sorted(other))}: options of the strategy for {api}, which is another one: "
            f"from {__package__}{module} import {strategy.__name__}"
        )
    meant = get_close_matches(unknown[0], known, n=1)
    hint = f"; did you mean {meant[0]}?" if meant else ""
    return TypeError(f"{strategy.__name__} has no option {unknown[0]}{hint}")


def _options_of(strategy: type) -> set[str]:
    inits = [vars(kind)["__init__"] for kind in strategy.__mro__ if "__init__" in vars(kind)]
    parameters = [p for init in inits if init is not object.__init__ for p in _named(init)]
    return {parameter.name for parameter in parameters} - {"self"}


def _named(init: Callable[..., None]) -> list[Parameter]:
    by_name = (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    return [one for one in signature(init).parameters.values() if one.kind in by_name]


def weighting_of(weighting: Weighting | str | None, epsilon: Epsilon) -> Weighting:
    """Return the weighting, by its name as well; the recommended one for None."""
    if weighting is None:
        return weighting_named(RECOMMENDED, epsilon=epsilon)
    if isinstance(weighting, str) and weighting in WEIGHTINGS:
        return weighting_named(weighting, epsilon=epsilon)
    meant = get_close_matches(weighting, WEIGHTINGS, n=1) if isinstance(weighting, str) else []
    allowed = f"a Weighting, such as Filtering(0.2), or a name of {', '.join(WEIGHTINGS)}"
    hint = f" (did you mean {meant[0]!r}?)" if meant else ""
    if not isinstance(weighting, Weighting):
        raise ValueError(f"weighting must be {allowed}, got {_told(weighting)}{hint}")
    return weighting


def check_alone(weighting: Weighting, **options: object) -> None:
    """Raise ``ValueError`` for an option that a `Defence` cannot be combined with."""
    for name, value in options.items():
        allowed = f"left out with {weighting!r}, which goes by whole updates as they were sent"
        require(not value, name, allowed, value)


def tilt_of(performance: Tilt | None, epsilon: float, **chosen: Any) -> Tilt | None:
    """Return the tilt; the recommended one with what was chosen of it, for `RECOMMENDED_TILT` itself."""
    works = callable(performance) and not isclass(performance) and hasattr(performance, "at_round")
    allowed = "a tilt, such as PerformanceAware(), or None for none"
    require(performance is None or works, "performance", allowed, _told(performance))
    chosen = {name: value for name, value in chosen.items() if value is not None}
    if performance is RECOMMENDED_TILT:
        return replace(RECOMMENDED_TILT, epsilon=epsilon, **chosen)
    names = ", ".join(chosen)
    require(not chosen, names, "given to the tilt itself, where performance is given", performance)
    return performance


def check_server_optimizer(optimizer: ServerOptimizer | None) -> None:
    """Raise ``ValueError`` unless it is a server optimizer, or None."""
    works = optimizer is None or isinstance(optimizer, ServerOptimizer)
    require(works, "server_optimizer", "such as Momentum() or Adam(), or None", _told(optimizer))


def check_names(**names: str) -> None:
    """Raise ``ValueError`` for a metric's name that is no text."""
    for name, value in names.items():
        require(isinstance(value, str) and bool(value), name, "the name of a metric", _told(value))


def check_callback(on_round: Callable[..., Any] | None) -> None:
    """Raise ``ValueError`` unless it can be called, or is None."""
    works = on_round is None or callable(on_round)
    require(works, "on_round", "a function of a RoundDiagnostics, or None", _told(on_round))


def _told(value: object) -> str:
    return f"the class {value.__name__} (write {value.__name__}())" if isclass(value) else repr(value)
