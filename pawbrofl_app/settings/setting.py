"""What settings are made of: types that take or refuse a value, and errors that name what is allowed.

A section is a frozen dataclass with one field for each of its settings: type, default, range or choices
and help text (its docstring) stand there and nowhere else.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BeforeValidator,
    ConfigDict,
    Strict,
    StrictBool,
    StrictStr,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from attacks.named_object import is_own, split_name


class InvalidSetting(ValueError):
    """A setting is unknown or out of its range. The message names it and the allowed values."""


def _whole(value: Any) -> Any:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, int) and not -(2**63) <= whole < 2**63:
        raise ValueError("a whole number of at most 64 bits")
    return whole


def _absolute(path: str) -> str:
    if path and not Path(path).is_absolute():
        raise ValueError("an absolute path: a run does not start in your folder")
    return path


SECTION = ConfigDict(use_attribute_docstrings=True)
"""For every section: the docstring below a setting is its help text."""

Flag = StrictBool
Text = StrictStr
WholeNumber = Annotated[int, BeforeValidator(_whole), Strict()]
Number = Annotated[float, Strict(), AllowInfNan(False)]
Folder = Annotated[StrictStr, AfterValidator(_absolute)]
"""An absolute path, or "" for a folder that the app chooses."""


@dataclass(frozen=True)
class OneOf:
    """The check that a text is one of some names.

    Attributes
    ----------
    names : collection of str
        Looked into at each check, so that a registry's later entries count.
    may_be_own : bool
        Whether it may be somebody's own too, as ``module:name``; either may have parameters in brackets.
    """

    names: Collection[str]
    may_be_own: bool = False

    def __call__(self, value: str) -> str:
        """Return the value, or raise ValueError."""
        name = split_name(value)[0] if self.may_be_own else value
        if not (self.may_be_own and is_own(name)):
            check_name(name, self.names)
        return value


def one_of(choices: Iterable[str]) -> AfterValidator:
    """Return the check that a text is one of some names."""
    return AfterValidator(OneOf(tuple(choices)))


def named(choices: Collection[str]) -> AfterValidator:
    """Return the check that a text is one of some names, or of somebody's own, as ``module:name``.

    Either may have parameters in brackets.
    """
    return AfterValidator(OneOf(choices, may_be_own=True))


def check_name(name: str, choices: Iterable[str]) -> None:
    """Check that a name is one of several.

    Raises
    ------
    ValueError
        With the names, and the one that is nearest.
    """
    names = list(choices)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        raise ValueError(
            f"one of {', '.join(names)}" + (f" (did you mean {near[0]!r}?)" if near else "")
        )


def invalid(name: str, allowed: str, value: object) -> InvalidSetting:
    """Return the error of a setting, by its name in the run config, with a value that is not allowed."""
    return InvalidSetting(f"{name} must be {allowed}, got {value!r}")


_TYPES: dict[object, str] = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    float: "a finite number",
}
_BOUNDS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
"""In words, what pydantic and annotated-types call the limits of a number."""
_OUT_OF_RANGE = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}


def allowed_range(field: FieldInfo) -> str:
    """Return a number's range in words, such as "above 0 and at most 1"."""
    bounds = [
        f"{words} {getattr(bound, limit)}"
        for limit, words in _BOUNDS.items()
        for bound in field.metadata
        if hasattr(bound, limit)
    ]
    return " and ".join(bounds)


def allowed_values(field: FieldInfo) -> str:
    """Return in words what a setting may be, such as "a whole number, at least 1"."""
    for check in field.metadata:
        if isinstance(check, AfterValidator) and isinstance(check.func, OneOf):
            names = ", ".join(check.func.names)
            return f"one of {names}" + (", or your own" if check.func.may_be_own else "")
    return ", ".join(filter(None, (_TYPES[field.annotation], allowed_range(field))))


def as_invalid_setting(error: ErrorDetails, settings: Mapping[str, FieldInfo]) -> InvalidSetting:
    """Return what pydantic found, as the error that names the setting and what is allowed.

    Parameters
    ----------
    error : dict
        One of a ``ValidationError``.
    settings : mapping
        All of them, by their names in the run config.
    """
    raised = error.get("ctx", {}).get("error")
    if isinstance(raised, InvalidSetting):  # several settings do not go together
        return raised
    name = str(error["loc"][-1]).replace("_", "-")
    if raised is not None:
        allowed = str(raised)
    elif error["type"] in _OUT_OF_RANGE:
        allowed = allowed_range(settings[name])
    else:
        allowed = _TYPES[settings[name].annotation]
    return invalid(name, allowed, error["input"])
