"""Robust weightings, one file each, and the names by which they are asked for."""

from __future__ import annotations

from .filtering import Filtering
from .mean import Mean
from .no_regret import NoRegret
from .weighting import Weighting

WEIGHTINGS: dict[str, type[Weighting]] = {
    "mean": Mean,
    "filtering": Filtering,
    "no-regret": NoRegret,
}


def weighting_named(name: str, *, epsilon: float, **options: float | None) -> Weighting:
    """Return the weighting of that name.

    Raises
    ------
    ValueError
        For a name that is none of `WEIGHTINGS`, or an option that the weighting does not have.
    """
    if name not in WEIGHTINGS:
        raise ValueError(f"method must be one of {', '.join(WEIGHTINGS)}, got {name!r}")
    if name == "mean":
        return Mean(**options)
    try:
        return WEIGHTINGS[name](epsilon=epsilon, **options)  # type: ignore[call-arg]
    except TypeError as problem:
        raise ValueError(f"options of {name!r}: {problem}") from None


__all__ = ["WEIGHTINGS", "Filtering", "Mean", "NoRegret", "Weighting", "weighting_named"]
