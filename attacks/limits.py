"""Limits of dataclass fields: each stands beside its field's default, all are checked in one place."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Limit = dict[str, tuple[str, Callable[[Any], bool]]]


def limit(allowed: str, holds: Callable[[Any], bool]) -> Limit:
    """Return the ``metadata`` of a dataclass field that allows some values, in words and as a test."""
    return {"limit": (allowed, holds)}


def one_of(choices: Collection[str]) -> Limit:
    """Return the limit of a field that is one of several texts."""
    return limit(f"one of {', '.join(choices)}", lambda x: x in choices)


ABOVE_0 = limit("above 0", lambda x: x > 0)
AT_LEAST_0 = limit("at least 0", lambda x: x >= 0)
AT_LEAST_1 = limit("at least 1", lambda x: x >= 1)
AT_LEAST_2 = limit("at least 2", lambda x: x >= 2)
FINITE_AT_LEAST_0 = limit("at least 0 and finite", lambda x: 0 <= x < math.inf)
FINITE_AT_LEAST_1 = limit("at least 1 and finite", lambda x: 1 <= x < math.inf)
FINITE_AT_MOST_1 = limit("finite and at most 1", lambda x: -math.inf < x <= 1)
BELOW_HALF = limit("at least 0 and below 0.5", lambda x: 0 <= x < 0.5)
BELOW_1 = limit("at least 0 and below 1", lambda x: 0 <= x < 1)
PART = limit("above 0 and below 1", lambda x: 0 < x < 1)
SHARE = limit("above 0 and at most 1", lambda x: 0 < x <= 1)


def check_limits(instance: DataclassInstance) -> None:
    """Check a dataclass's fields against their limits; None, where it is a default, is allowed.

    Raises
    ------
    ValueError
        Naming the field, its value and what is allowed.
    """
    for field in fields(instance):
        value = getattr(instance, field.name)
        if value is None or "limit" not in field.metadata:
            continue
        allowed, holds = field.metadata["limit"]
        if not holds(value):
            raise ValueError(f"{field.name} must be {allowed}, got {value!r}")
