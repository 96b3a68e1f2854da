"""docs/glossary.md: every word is in the file that implements it, so that a search finds it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PAGE = PROJECT / "docs" / "glossary.md"
ROW = re.compile(r"^\| ([^|]+) \| [^|]+\. \| \[([\w.]+)\]\(([^)]+)\) \|$", re.MULTILINE)
ROWS = [(word, name, PAGE.parent / path) for word, name, path in ROW.findall(PAGE.read_text())]
SEARCHED = {"outlier", "retry", "duplicate", "flow control", "heartbeat", "callback", "fsync"}


def plain(text: str) -> str:
    return " ".join(re.split(r"[\s_-]+", text.lower()))


def test_every_row_is_a_word_a_sentence_and_a_file() -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    headers = [line for line in lines if line == "| word | what | file |"]
    assert len(ROWS) == len(lines) - len(headers)
    assert {word for word, _, _ in ROWS} >= SEARCHED


@pytest.mark.parametrize(("word", "name", "path"), ROWS, ids=[row[0] for row in ROWS])
def test_the_file_has_the_word(word: str, name: str, path: Path) -> None:
    assert path.name == name
    source = plain(f"{path.stem} {path.read_text()}")
    assert [part for part in word.split(", ") if plain(part) not in source] == []
