"""Attacks as a run asks for them: by name, with parameters, several at the same clients.

``"dba"`` is one attack, ``"sign-flip(scale=2)+inflated-report"`` two. Parameters that are not given in
brackets take the run's setting of the same name, or else their default.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from .attack import Attack
from .combined import CombinedAttack
from .named_object import is_own, named_object
from .registry import ATTACKS, RegisteredAttack

NO_ATTACK = "none"


def make_attack(attack: str, settings: Mapping[str, Any]) -> Attack:
    """Return the attack of one malicious client.

    Parameters
    ----------
    attack : str
        Names of `ATTACKS`, or ``module:class``, joined by ``+``, each with parameters in brackets where
        wanted.
    settings : mapping of str to object
        What parameters of these names are where they are not given; others are ignored.

    Raises
    ------
    ValueError
        For an unknown attack or parameter, or a value out of its range.
    """
    attacks = tuple(_make_one(name, given, settings) for name, given in parse(attack))
    return attacks[0] if len(attacks) == 1 else CombinedAttack(attacks=attacks)


def attack_of_client(attack: str | Attack, attacker: int, parameters: Mapping[str, Any]) -> Attack:
    """Return the attack of one malicious client in anybody's project.

    Parameters
    ----------
    attack : str or Attack
        As `make_attack`, or an attack of one's own.
    attacker : int
        The client's number among the malicious ones.
    parameters : mapping of str to object
        Parameters of an attack that a text names, where they are not in its brackets.

    Raises
    ------
    ValueError
        As `make_attack`, and for parameters that no attack of the text has.
    """
    if isinstance(attack, Attack):
        allowed: set[str] = set()
    else:
        allowed = {field.name for name, _ in parse(attack) for field in fields(_entry(name).make)}
    for name in parameters:
        if name not in allowed - {"attacker"}:
            near = difflib.get_close_matches(name, allowed - {"attacker"}, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(
                f"parameters of attack {attack!r} must be among "
                f"{', '.join(sorted(allowed - {'attacker'})) or 'none'}, got {name!r}{hint}"
            )
    if isinstance(attack, str):
        return make_attack(attack, {**parameters, "attacker": attacker})
    if isinstance(attack, CombinedAttack):
        return replace(
            attack, attacks=tuple(attack_of_client(one, attacker, {}) for one in attack.attacks)
        )
    if "attacker" in {field.name for field in fields(attack)}:
        return replace(attack, **{"attacker": attacker})
    return attack


def parse(attack: str) -> list[tuple[str, dict[str, str]]]:
    """Split a text such as ``"sign-flip(scale=2)+nan-report"`` into names and parameters as given.

    Raises
    ------
    ValueError
        For a text of another form, an unknown attack, or one of somebody's own that is none.
    """
    parts = []
    for part in re.split(r"\+(?![^(]*\))", attack):
        found = re.fullmatch(r"([a-z-]+|[\w.]+:\w+)(?:\(([^()]*)\))?", part.strip())
        if found is None:
            raise ValueError(
                f"attack must be names joined by '+', such as 'dba' or "
                f"'sign-flip(scale=2)+inflated-report', got {attack!r}"
            )
        name, brackets = found.group(1), found.group(2)
        if name not in ATTACKS and not is_own(name):
            near = difflib.get_close_matches(name, ATTACKS, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(
                f"attack must be one of {NO_ATTACK}, {', '.join(ATTACKS)}, or some of them joined by "
                f"'+', got {name!r}{hint}"
            )
        parts.append((name, _parameters(name, brackets)))
    return parts


def _entry(name: str) -> RegisteredAttack:
    """Return an attack's entry; of ``module:class`` a new one.

    Raises
    ------
    ValueError
        Where that is no `Attack`.
    """
    if not is_own(name):
        return ATTACKS[name]
    make = named_object(name)
    if not (isinstance(make, type) and issubclass(make, Attack)):
        raise ValueError(f"attack {name!r} must be a class that inherits from attacks.Attack")
    return RegisteredAttack(make, "a module of the run's own", "")


def _parameters(name: str, brackets: str | None) -> dict[str, str]:
    given: dict[str, str] = {}
    for pair in (brackets or "").split(","):
        key, equals, value = (text.strip() for text in pair.partition("="))
        if not pair.strip():
            continue
        if not equals or key not in _entry(name).parameters:
            known = ", ".join(_entry(name).parameters)
            raise ValueError(f"{name} takes parameters such as name=value of {known}; got {pair!r}")
        given[key] = value
    return given


def _make_one(name: str, given: Mapping[str, str], settings: Mapping[str, Any]) -> Attack:
    values: dict[str, Any] = {}
    make = _entry(name).make
    for field in fields(make):
        if field.name in given:
            kind = getattr(field.type, "__name__", str(field.type))
            values[field.name] = _value(name, field.name, kind, given[field.name])
        elif field.name in settings:
            values[field.name] = settings[field.name]
    try:
        return make(**values)
    except (TypeError, ValueError) as problem:
        raise ValueError(f"attack {name}: {problem}") from None


def _value(attack: str, name: str, kind: str, text: str) -> int | float | str:
    if kind == "str":
        return text
    try:
        return int(text) if kind.startswith("int") else float(text)
    except ValueError:
        expected = "a whole number" if kind.startswith("int") else "a number"
        raise ValueError(f"attack {attack}: {name} must be {expected}, got {text!r}") from None
