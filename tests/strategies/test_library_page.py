"""docs/library.md: the log lines that it explains are those that the code writes."""

from __future__ import annotations

from tests.conftest import PROJECT

PAGE = (PROJECT / "docs" / "library.md").read_text()


def test_the_log_lines_are_the_codes() -> None:
    lines = [row.split("`")[1] for row in PAGE.splitlines() if row.startswith("| `")]
    source = "".join(path.read_text() for path in (PROJECT / "strategies").glob("*.py"))
    for line in ("PAwBRoFL settings:", "judged malicious", "left out client", "report no metric"):
        assert any(line in said for said in lines), line
    for line in lines:
        if line.startswith(("no reply", "aggregating the", "PAwBRoFL settings")):
            assert line in source, line
