"""Names of files and in code: each file's is the only one, and terms are those of the field."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PROJECT

PACKAGES = ["strategies", "attacks", "clients", "deployment", "pawbrofl_app", "experiments"]
SOURCES = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))
TEXTS = [
    *PROJECT.glob("*.md"),
    *PROJECT.glob("docs/**/*.md"),
    *PROJECT.glob("experiments/**/*.toml"),
    *SOURCES,
]
USUAL = {"__init__.py", "__main__.py"}
WORDS = {
    "benign",
    "durable",
    "endurance",
    "heard",
    "liar",
    "liars",
    "patient",
    "unsuspicious",
    "voice",
    "voices",
}
"""The field says: honest, retry, merged duplicates, malicious, time-out, inliers, duplicate groups."""
PHRASES = {"most_malicious", "own_number", "without_far"}
"""The field says: max_malicious, partition id, outliers."""
ANY = re.compile("|".join(sorted(WORDS | PHRASES)))


def names_in(source: Path) -> Iterator[str]:
    """Yield every name that the file defines or uses."""
    for node in ast.walk(ast.parse(source.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.alias(name=name):
                yield name


def is_coined(name: str) -> bool:
    """Return whether a name has a word of ours in it where the field has one."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()
    return bool(WORDS & set(name.split("_"))) or any(phrase in name for phrase in PHRASES)


def test_no_file_name_stands_twice() -> None:
    names = Counter(path.name for path in SOURCES if path.name not in USUAL)
    assert [name for name, times in names.items() if times > 1] == []


def test_names_are_the_fields() -> None:
    wrong = {
        str(path.relative_to(PROJECT)): sorted(names)
        for path in SOURCES
        if ANY.search(f"{path.stem} {path.read_text()}".lower())  # to read a syntax tree takes longer
        and (names := set(filter(is_coined, {path.stem, *names_in(path)})))
    }
    assert wrong == {}


def test_honest_clients_are_called_honest() -> None:
    called = [str(path.relative_to(PROJECT)) for path in TEXTS if "benign" in path.read_text().lower()]
    assert called == []
