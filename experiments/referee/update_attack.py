"""One attack of a family with all its parameters, as a line of text and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from attacks.named_object import split_name
from strategies.arrays import FloatArray

from ..grid.study import InvalidStudy
from .attack_families import FAMILIES, Value


@dataclass(frozen=True)
class UpdateAttack:
    """What k colluding attackers send, made of the honest updates.

    Attributes
    ----------
    family : str
        A name of `FAMILIES`.
    values : mapping of str to float or str
        All its parameters.
    """

    family: str
    values: Mapping[str, Value]

    @classmethod
    def at(cls, family: str, place: FloatArray) -> UpdateAttack:
        """Return the attack at a place of the family's unit cube."""
        parameters = FAMILIES[family].parameters
        pairs = zip(parameters.items(), place.tolist(), strict=True)
        return cls(family, {name: parameter.at(one) for (name, parameter), one in pairs})

    @classmethod
    def parse(cls, text: str) -> UpdateAttack:
        """Return the attack that a text such as ``mimic(direction=widest, jitter=0.1)`` names.

        Raises
        ------
        InvalidStudy
            Naming what is wrong and what is allowed.
        """
        try:
            family, given = split_name(text)
        except ValueError as problem:
            raise InvalidStudy(f"attack must be {problem}, got {text!r}") from None
        if family not in FAMILIES:
            near = get_close_matches(family, FAMILIES, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise InvalidStudy(
                f"attack must be of a family of {', '.join(FAMILIES)}, got {family!r}{hint}"
            )
        parameters = FAMILIES[family].parameters
        if set(given) != set(parameters):
            raise InvalidStudy(
                f"{family} must be given {', '.join(parameters)}, got {', '.join(given) or 'nothing'}"
            )
        values = {}
        for name, parameter in parameters.items():
            try:
                values[name] = parameter.read(given[name])
            except ValueError as problem:
                raise InvalidStudy(f"{family}: {name} must be {problem}") from None
        return cls(family, values)

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        shown = (f"{n}={v if isinstance(v, str) else f'{v:g}'}" for n, v in self.values.items())
        return f"{self.family}({', '.join(shown)})"

    def rows(self, honest: FloatArray, k: int, random: np.random.Generator) -> FloatArray:
        """Return the k attackers' updates, of shape (k, d)."""
        return FAMILIES[self.family].rows(honest, k, random, **self.values)
