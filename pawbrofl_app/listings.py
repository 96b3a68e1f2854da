"""What can be chosen, for a terminal: all settings, attacks and aggregators."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Collection, Iterable
from dataclasses import fields
from typing import Any

from attacks import ATTACKS
from strategies.fairness import FAIR_WEIGHTINGS
from strategies.weightings import RECOMMENDED, WEIGHTINGS

from .settings.aggregation_settings import BASELINES
from .settings.described_settings import described_settings
from .settings.run_config import check_known

WIDTH = 100
ROBUST, FAIR, FLOWERS = "robust weightings", "fair, not robust", "Flower's, without weights"


def setting_list(chosen: Collection[str] = ()) -> str:
    """Return settings with default, what is allowed and help.

    Parameters
    ----------
    chosen : collection of str
        The names of some; all of them where there are none.

    Raises
    ------
    InvalidSetting
        For a name that no setting has.
    """
    check_known(chosen)
    blocks = []
    for title, settings in described_settings().items():
        shown = [one for one in settings if not chosen or one.name in chosen]
        if shown and not chosen:
            blocks.append(f"# {title}")
        blocks += [_block(f"{one.name} = {one.default}", one.allowed, one.help) for one in shown]
    return "\n\n".join(blocks)


def attack_list() -> str:
    """Return all attacks: name, parameters, what they change and what is expected of them."""
    return "\n\n".join(
        _block(
            name + _brackets(entry.parameters),
            f"changes {', '.join(entry.changes)}: {entry.effect}",
            entry.source,
        )
        for name, entry in ATTACKS.items()
    )


def aggregator_list() -> str:
    """Return all aggregators by kind, each with its parameters and what it is in a sentence."""
    blocks = [f"# {ROBUST}; the default is {RECOMMENDED}", *map(_described, WEIGHTINGS.items())]
    blocks += [f"# {FAIR}", *map(_described, FAIR_WEIGHTINGS.items())]
    blocks += [f"# {FLOWERS}", *BASELINES]
    return "\n\n".join(blocks)


def _described(named: tuple[str, Any]) -> str:
    name, kind = named
    settable = {one.name: one.default for one in fields(kind)} if name in FAIR_WEIGHTINGS else {}
    first_line = (inspect.getdoc(kind) or "").split("\n")[0]
    return _block(name + _brackets(settable), first_line)


def _block(*lines: str) -> str:
    """Return a name, and below it what there is to say of it."""
    name, *rest = lines
    told = (textwrap.fill(line, WIDTH, initial_indent="  ", subsequent_indent="  ") for line in rest)
    return "\n".join([name, *told])


def _brackets(parameters: dict[str, Any]) -> str:
    return f"({', '.join(_parameters(parameters.items()))})" if parameters else ""


def _parameters(named: Iterable[tuple[str, Any]]) -> list[str]:
    return [
        name
        if default is None
        else f"{name}={default:g}"
        if isinstance(default, float)
        else f"{name}={default}"
        for name, default in named
    ]
