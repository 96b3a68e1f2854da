"""Pages of the documentation whose tables are made by commands: what stands between two marks."""

from __future__ import annotations

from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def with_part(page: str, part: str, content: str) -> str:
    """Return a page with new content between the marks of one of its parts.

    Raises
    ------
    ValueError
        Where the page has no such part.
    """
    begin, end = f"<!-- {part}: begin -->\n", f"<!-- {part}: end -->\n"
    if begin not in page or end not in page:
        raise ValueError(f"the page must have a part between {begin!r} and {end!r}")
    before, rest = page.split(begin)
    return f"{before}{begin}{content.strip()}\n{end}{rest.split(end)[1]}"


def write_part(path: Path, part: str, content: str) -> None:
    """Replace a part of a page in place."""
    path.write_text(with_part(path.read_text(), part, content))
