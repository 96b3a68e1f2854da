"""Fair aggregators by name, with parameters in brackets where wanted: ``"q-ffl(q=5)"``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .agnostic import AgnosticFL
from .fair_weighting import FairWeighting
from .fed_mgda_plus import FedMGDAPlus
from .prop_fair import PropFair
from .q_ffl import QFFL
from .tilted import TiltedERM

FAIR_WEIGHTINGS: dict[str, type[FairWeighting]] = {
    "q-ffl": QFFL,
    "afl": AgnosticFL,
    "term": TiltedERM,
    "fed-mgda-plus": FedMGDAPlus,
    "prop-fair": PropFair,
}

_NAME_AND_BRACKETS = re.compile(r"([a-z-]+)(?:\(([^()]*)\))?")


def is_fair(text: str) -> bool:
    """Return whether a text begins with a name of `FAIR_WEIGHTINGS`, whatever its brackets hold."""
    return text.partition("(")[0].strip() in FAIR_WEIGHTINGS


def fair_weighting_named(text: str, **defaults: float) -> FairWeighting:
    """Return a fair aggregator.

    Parameters
    ----------
    text : str
        A name of `FAIR_WEIGHTINGS`, with numbers for parameters in brackets where wanted.
    **defaults
        What parameters of these names are where the text does not give them; others are ignored.

    Raises
    ------
    ValueError
        For an unknown name or parameter, or a value out of its range.
    """
    found = _NAME_AND_BRACKETS.fullmatch(text.strip())
    if found is None or found[1] not in FAIR_WEIGHTINGS:
        known = ", ".join(FAIR_WEIGHTINGS)
        raise ValueError(f"a fair aggregator must be one of {known}, such as 'q-ffl(q=5)', got {text!r}")
    kind: Any = FAIR_WEIGHTINGS[found[1]]
    known_parameters = [field.name for field in fields(kind)]
    values = {name: value for name, value in defaults.items() if name in known_parameters}
    values |= _numbers(found[1], found[2] or "", known_parameters)
    try:
        weighting: FairWeighting = kind(**values)
    except ValueError as problem:
        raise ValueError(f"{found[1]}: {problem}") from None
    return weighting


def _numbers(name: str, brackets: str, known: list[str]) -> Mapping[str, float]:
    numbers: dict[str, float] = {}
    for pair in brackets.split(","):
        if not pair.strip():
            continue
        key, _, value = (text.strip() for text in pair.partition("="))
        try:
            if key not in known or key in numbers:
                raise ValueError(key)
            numbers[key] = float(value)
        except ValueError:
            raise ValueError(
                f"{name} takes each of {', '.join(known)} once, as name=number; got {pair.strip()!r}"
            ) from None
    return numbers
