"""``python -m pawbrofl_app.settings``: write all settings into pyproject.toml, with their help texts.

Flower reads an app's settings from ``[tool.flwr.app.config]``. The block holds names, defaults and help
texts as they stand in the sections. ``--check`` writes nothing, and exits with 1 where it does not.
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import tomli_w

from .command_line import APP_FOLDER
from .run_config import SECTIONS, RunConfig

HEADER = "[tool.flwr.app.config]\n"
WIDTH = 105


def config_block() -> str:
    """Return the lines below the header: every setting with its help text, section by section."""
    defaults = RunConfig().as_settings()
    blocks = []
    for fields in SECTIONS.values():
        lines = []
        for field_name, field in fields.items():
            name = field_name.replace("_", "-")
            text = " ".join((field.description or "").split())
            lines += textwrap.wrap(
                text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
            )
            lines.append(tomli_w.dumps({name: defaults[name]}).rstrip())
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def with_config_block(project: str) -> str:
    """Return the text of pyproject.toml with the settings as they are."""
    before, header, rest = project.partition(HEADER)
    after = re.search(r"^\[", rest, flags=re.MULTILINE)
    tail = "" if after is None else "\n" + rest[after.start() :]
    return f"{before}{header}{config_block()}{tail}"


def main(arguments: Sequence[str] | None = None, project: Path = APP_FOLDER / "pyproject.toml") -> int:
    """Run the command line and return its exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args(arguments)
    found = project.read_text(encoding="utf-8")
    current = with_config_block(found)
    if options.check and found != current:
        print(f"{project} is not current: python -m pawbrofl_app.settings writes it", file=sys.stderr)
        return 1
    if not options.check:
        project.write_text(current, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
