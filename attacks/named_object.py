"""What settings name: functions and classes by module and name, with parameters in brackets.

``"synthetic(alpha=1, beta=0.5)"`` is a name with parameters, ``"my_module:load"`` somebody's
own: what the module, which Python must find, calls ``load``.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

_FORM = re.compile(r"([\w.:-]+)\s*(?:\((.*)\))?", re.DOTALL)
_KINDS: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str}
"""Types of parameters, as they are annotated, and what makes them of a text."""


def split_name(text: str) -> tuple[str, dict[str, str]]:
    """Split ``"name(key=value, ...)"`` into the name and the parameters as they are given.

    Raises
    ------
    ValueError
        For a text of another form.
    """
    found = _FORM.fullmatch(text.strip())
    pairs = [] if found is None else [pair for pair in (found[2] or "").split(",") if pair.strip()]
    if found is None or not all("=" in pair for pair in pairs):
        raise ValueError("of the form name, module:name or either with (parameter=value, ...)")
    parts = (pair.partition("=") for pair in pairs)
    return found[1], {key.strip(): value.strip() for key, _, value in parts}


def is_own(text: str) -> bool:
    """Return whether a setting names an object of somebody's own module."""
    return ":" in text.partition("(")[0]


def named_object(reference: str, package: str | None = None) -> Any:
    """Return what a module calls a name, for ``"module:name"``; the module is imported now.

    Parameters
    ----------
    reference : str
    package : str, optional
        Where ``".module:name"`` is.

    Raises
    ------
    ValueError
        Naming the module that cannot be imported, or what it does not have.
    """
    module_name, _, name = reference.partition(":")
    try:
        module = importlib.import_module(module_name, package)
    except ModuleNotFoundError as problem:
        raise ValueError(f"{reference!r}: there is no module {problem.name!r}") from problem
    except Exception as problem:  # whatever a module of somebody's own raises
        kind = type(problem).__name__
        raise ValueError(f"{reference!r}: module {module_name!r} raises {kind}: {problem}") from problem
    if not hasattr(module, name):
        own = [one for one in vars(module) if not one.startswith("_")]
        near = difflib.get_close_matches(name, own, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{reference!r}: module {module_name!r} has no {name!r}{hint}")
    found = getattr(module, name)
    if not callable(found):
        raise ValueError(f"{reference!r} must be a function or class, got {type(found).__name__}")
    return found


def with_parameters(make: Callable[..., Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a call, read as the function annotates its keyword parameters.

    Raises
    ------
    ValueError
        For a parameter that the function does not have, or a value of another type.
    """
    known = {
        name: parameter
        for name, parameter in inspect.signature(make).parameters.items()
        if parameter.default is not parameter.empty
    }
    values = {}
    for name, text in given.items():
        if name not in known:
            raise ValueError(f"parameters are {', '.join(known) or 'none'}; got {name!r}")
        annotation = known[name].annotation
        kind = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "str")
        try:
            values[name] = _KINDS.get(kind, str)(text)
        except ValueError:
            raise ValueError(f"{name} must be of type {kind}, got {text!r}") from None
    return values
