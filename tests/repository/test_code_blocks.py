"""Code blocks of the documentation run as they stand, or say why not.

Python runs page by page, with what the blocks before it defined. Commands of this project run; those
that are marked as not run are read by the command's own parser, and their settings checked.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from experiments.__main__ import main as experiments
from pawbrofl_app import command
from pawbrofl_app.settings.command_line import read_settings
from tests.conftest import PROJECT

PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted(PROJECT.glob("docs/**/*.md")),
]
BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<why>[^\n]+) -->\n)?^ *```(?P<language>[^\n]*)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
SHELL, NO_CODE = ("bash", "shell"), ("text", "diff")
MODULE = re.compile(r"\bpawbrofl\.(?=strategies|attacks|report)")
"""In a clone the library's packages have no parent."""
PARSED = re.compile(r"(?:\.venv/bin/)?pawbrofl (?:run|federation) (.*)")
OWN_MODULE = "my_module"


class Block(NamedTuple):
    """A code block: its page, language and code, and why it is not run, if it is not."""

    page: Path
    language: str
    code: str
    why: str

    @property
    def commands(self) -> list[str]:
        """The lines of a shell block, with continued ones joined."""
        return [line.strip() for line in re.sub(r"\\\n\s*", "", self.code).splitlines() if line.strip()]


def blocks(*languages: str) -> Iterator[Block]:
    for page in PAGES:
        for found in BLOCK.finditer(page.read_text()):
            block = Block(page, found["language"], found["code"], found["why"] or "")
            if not languages or block.language in languages:
                yield block


def named(block: Block) -> str:
    return f"{block.page.stem}: {block.code.strip().splitlines()[0][:50]}"


def test_every_block_says_what_it_is() -> None:
    unknown = [
        named(block) for block in blocks() if block.language not in ("python", "toml", *SHELL, *NO_CODE)
    ]
    assert unknown == []


PYTHON = sorted({block.page for block in blocks("python")})


@pytest.mark.parametrize("page", PYTHON, ids=lambda page: page.stem)
def test_python_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType("page_of_the_documentation")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in blocks("python"):
        if block.page == page:
            code = compile(MODULE.sub("", block.code), str(page), "exec")
            if not block.why:
                exec(code, vars(module))


@pytest.mark.parametrize("block", [one for one in blocks(*SHELL) if not one.why], ids=named)
def test_commands_run(block: Block, capsys: pytest.CaptureFixture[str]) -> None:
    for line in block.commands:
        program, *arguments = shlex.split(line, comments=True)
        if program == "pawbrofl":
            assert command.main(arguments) == 0
        else:
            assert (program, *arguments[:2]) == ("python", "-m", "experiments")
            assert experiments(arguments[2:]) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize("block", [one for one in blocks(*SHELL) if one.why], ids=named)
def test_settings_of_commands_that_are_not_run_are_settings(block: Block) -> None:
    for line in block.commands:
        given = PARSED.fullmatch(line.split(" && ")[-1])
        if given and OWN_MODULE not in line:
            options = command.command_parser().parse_args(["run", *shlex.split(given[1], comments=True)])
            read_settings(options.run_config, PROJECT)


@pytest.mark.parametrize("block", [one for one in blocks("toml") if not one.why], ids=named)
def test_settings_in_toml_are_settings(block: Block) -> None:
    for line in block.code.splitlines():
        name, _, value = line.partition(" = ")
        read_settings([f"{name}={value}"], PROJECT)
