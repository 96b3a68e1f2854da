"""Checks of arguments, with one wording for all: ``xi must be at least 0, got -1``."""

from __future__ import annotations

from numbers import Integral, Real


def is_number(value: object) -> bool:
    """Return whether a value is a real number, which True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number."""
    return is_number(value) and isinstance(value, Integral)


def require(holds: bool, name: str, allowed: str, value: object) -> None:
    """Raise ``ValueError``, which names the argument and what is allowed, unless ``holds``."""
    if not holds:
        raise ValueError(f"{name} must be {allowed}, got {value}")
