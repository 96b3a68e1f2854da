"""All settings in docs/settings.md, and the command's own help in docs/command_line.md."""

from __future__ import annotations

import argparse
import re

import pandas as pd

from pawbrofl_app.command import command_parser
from pawbrofl_app.settings.described_settings import described_settings

from ..grid.markdown import markdown_table
from .page import Page

PAGE_OF_THE_DOCS = re.compile(r"docs/(\w+)\.md")


def all_settings() -> str:
    """Return all settings, a heading each, by section."""
    blocks = []
    for title, settings in described_settings().items():
        blocks.append(f"## {title.rstrip('.')}")
        for one in settings:
            text = PAGE_OF_THE_DOCS.sub(r"[\1](\1.md)", one.help)
            blocks += [f"### `{one.name}`", f"Default `{one.default}`; {one.allowed}.", text]
    return "\n\n".join(blocks)


def all_commands() -> str:
    """Return a table of what the command and each of its commands take."""
    parser = command_parser()
    (commands,) = (one for one in parser._actions if isinstance(one, argparse._SubParsersAction))
    helps = {choice.dest: choice.help for choice in commands._get_subactions()}
    blocks = []
    for name, command in commands.choices.items():
        blocks += [f"## `pawbrofl {name}`", f"{_sentence(helps[name])}", *_table(command)]
    return "\n\n".join(blocks)


def _table(command: argparse.ArgumentParser) -> list[str]:
    rows = [
        {"argument": f"`{_usage(one)}`", "meaning": _sentence(one.help)}
        for one in command._actions
        if not isinstance(one, argparse._HelpAction)
    ]
    return [markdown_table(pd.DataFrame(rows))] if rows else []


def _usage(argument: argparse.Action) -> str:
    """Return how an argument is written; unlike argparse's own, the same with every Python."""
    choices = "{" + ",".join(map(str, argument.choices)) + "}" if argument.choices else ""
    value = str(argument.metavar or choices or argument.dest.upper())
    if not argument.option_strings:
        return (
            f"[{value} ...]"
            if argument.nargs == "*"
            else f"{value} ..."
            if argument.nargs == "+"
            else value
        )
    return f"{', '.join(argument.option_strings)} {value}"


def _sentence(text: str | None) -> str:
    return text[0].upper() + text[1:] + "." if text else ""


SETTINGS = Page("settings.md", lambda _: {"settings": all_settings()})
COMMANDS = Page("command_line.md", lambda _: {"commands": all_commands()})
