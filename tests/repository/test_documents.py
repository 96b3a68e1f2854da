"""What documents name is there: files, folders, modules, and the commands of modules."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

DOCUMENTS = sorted([*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md")])
FOLDERS = "attacks|clients|deployment|docs|experiments|pawbrofl_app|strategies|tests"
PATH = re.compile(rf"(?<![\w./~$-])(?:{FOLDERS})/[\w./*@-]*\w/?")
MODULE = re.compile(
    rf"(?<![\w./-])(?<!::: )(?:pawbrofl\.)?((?:{FOLDERS})(?:\.(?!csv|json|md|py|toml)[A-Za-z_]\w*)+)"
)
LINK = re.compile(r"\]\(([^)#:]+)\)")
FILE = re.compile(r"`([\w-]+\.(?:py|md))`")


def found(pattern: re.Pattern[str], document: Path) -> Iterator[str]:
    return (match[match.lastindex or 0] for match in pattern.finditer(document.read_text()))


def is_there(name: str) -> bool:
    """Return whether a dotted name is a module of the project or something in one.

    A module that the name ends with is not imported: some take seconds.
    """
    module, _, rest = name.partition(".")
    thing: object = importlib.import_module(module)
    *packages, last = rest.split(".")
    for part in packages:
        module = f"{module}.{part}"
        if hasattr(thing, part):
            thing = getattr(thing, part)
        elif importlib.util.find_spec(module):
            thing = importlib.import_module(module)
        else:
            return False
    is_package = hasattr(thing, "__path__")
    return hasattr(thing, last) or (is_package and bool(importlib.util.find_spec(f"{module}.{last}")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_and_folders_exist(document: Path) -> None:
    missing = [name for name in found(PATH, document) if not list(PROJECT.glob(name))]
    missing += [name for name in found(LINK, document) if not (document.parent / name).exists()]
    names = {path.name for path in [*PROJECT.glob("*"), *PROJECT.glob("[!.]*/**/*")]}
    missing += [name for name in found(FILE, document) if name not in names]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_modules_exist(document: Path) -> None:
    assert [name for name in found(MODULE, document) if not is_there(name)] == []


def test_the_readme_names_every_folder() -> None:
    table = (PROJECT / "README.md").read_text().split("## Where things are")[1].split("##")[0]
    named = set(re.findall(r"^\| `(\w+)/`", table, re.MULTILINE))
    there = {path.parent.name for path in PROJECT.glob("[!.]*/__init__.py")} | {"docs"}
    assert named == there
