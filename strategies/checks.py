"""Checks of arguments, with one wording for all: ``xi must be at least 0, got -1``."""

from __future__ import annotations


def require(holds: bool, name: str, allowed: str, value: object) -> None:
    """Raise ``ValueError``, which names the argument and what is allowed, unless ``holds``."""
    if not holds:
        raise ValueError(f"{name} must be {allowed}, got {value}")
