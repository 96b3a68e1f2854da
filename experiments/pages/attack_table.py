"""The table of all attacks in docs/attacks.md, made from the registry."""

from __future__ import annotations

from typing import Any

import pandas as pd

from attacks import ATTACKS

from ..grid.markdown import markdown_table
from .page import Page

IN_EVERY_ATTACK = ("first_round", "last_round", "every")


def attack_table() -> str:
    """Return the table: one row for each attack of the registry."""
    rows = [
        {
            "name": f"`{name}`",
            "changes": ", ".join(entry.changes),
            "parameters": _parameters(entry.parameters),
            "source": entry.source,
            "expected effect": entry.effect,
        }
        for name, entry in ATTACKS.items()
    ]
    return markdown_table(pd.DataFrame(rows))


def _parameters(parameters: dict[str, Any]) -> str:
    return ", ".join(
        _parameter(name, default) for name, default in parameters.items() if name not in IN_EVERY_ATTACK
    )


def _parameter(name: str, default: object) -> str:
    if default is None:
        return f"`{name}`"
    return f"`{name}={default:g}`" if isinstance(default, float) else f"`{name}={default}`"


PAGE = Page("attacks.md", lambda _: {"attacks": attack_table()})
