"""All settings in words, told from the sections: for the command and the documentation."""

from __future__ import annotations

import inspect
from typing import NamedTuple

import tomli_w

from .run_config import SECTIONS, RunConfig
from .setting import allowed_values


class Described(NamedTuple):
    """A setting in words."""

    name: str
    default: str
    """As TOML has it."""
    allowed: str
    help: str


def described_settings() -> dict[str, list[Described]]:
    """Return all settings by section, in order; a section goes by what it is about."""
    defaults = RunConfig()
    values = defaults.as_settings()
    sections = {}
    for section, fields in SECTIONS.items():
        of = getattr(defaults, section) if section else defaults
        title = (inspect.getdoc(type(of)) or "").split("\n")[0] if section else "The seed."
        sections[title] = [
            Described(
                name := field_name.replace("_", "-"),
                tomli_w.dumps({name: values[name]}).partition(" = ")[2].strip(),
                allowed_values(field),
                " ".join((field.description or "").split()),
            )
            for field_name, field in fields.items()
        ]
    return sections
