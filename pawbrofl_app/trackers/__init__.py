"""Experiment trackers by name. What they stand on is imported when a run begins to use one."""

from __future__ import annotations

from importlib.util import find_spec

from attacks.named_object import named_object, split_name, with_parameters

from .tracker import Tracker

__all__ = ["NO_TRACKER", "TRACKERS", "Tracker", "tracker_named"]

NO_TRACKER = "none"
TRACKERS = {"tensorboard": ".tensorboard_tracker:TensorBoard", "mlflow": ".mlflow_tracker:MLflow"}
"""The class behind each name. The extra of pyproject.toml that it needs has the same name."""


def tracker_named(text: str) -> Tracker | None:
    """Return a tracker by its name, or somebody's own, ``module:class``; None for ``"none"``.

    Either may have parameters in brackets.

    Raises
    ------
    ValueError
        Where there is none, it cannot be made, or its package is not installed.
    """
    name, given = split_name(text)
    if name == NO_TRACKER:
        return None
    kind = named_object(TRACKERS.get(name, name), __package__)
    if not (isinstance(kind, type) and issubclass(kind, Tracker)):
        raise ValueError(f"{name!r} must be a class that inherits from pawbrofl_app.trackers.Tracker")
    if kind.package and find_spec(kind.package) is None:
        raise ValueError(
            f"{text!r} needs the package {kind.package!r}, which is not installed; to install it in a "
            f"clone of this project: pip install -e '.[{name}]'"
        )
    parameters = with_parameters(kind, given)
    try:
        return kind(**parameters)
    except Exception as problem:  # whatever a class of somebody's own raises
        raise ValueError(f"{text!r} raises {type(problem).__name__}: {problem}") from problem
