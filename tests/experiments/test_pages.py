"""Generated pages: each is what code and recorded results give; how parts are replaced and checked."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments.__main__ import main
from experiments.pages.page import DOCS, RECORDED, stale_parts, with_part
from experiments.pages.page_registry import PAGES, page_named, quick_pages


@pytest.mark.parametrize("name", quick_pages())
def test_every_page_is_what_code_and_recorded_results_give(name: str) -> None:
    assert stale_parts(page_named(name)) == [], f"run python -m experiments page {name} --recorded"


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_a_document_and_files_for_its_studies(name: str) -> None:
    page = page_named(name)
    assert PAGES[name].makes.startswith(f"{page.document}: ")
    assert (DOCS / page.document).is_file()
    assert [csv for csv in page.studies.values() if not (RECORDED / csv).is_file()] == []


@pytest.mark.slow
def test_what_is_not_current_is_named_and_made_anew(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in (*DOCS.glob("as_published*"), *RECORDED.glob("*.csv")):
        shutil.copy(file, tmp_path)
    at = ["--out", str(tmp_path)]
    assert main(["page", "as-published", "--check", *at]) == 0
    document, figure = tmp_path / "as_published.md", tmp_path / "figures" / "as_published.png"
    document.write_text(document.read_text().replace("| no attack |", "| no attack! |"))
    assert main(["page", "as-published", "--check", *at]) == 1
    assert "'agreement' is not current" in capsys.readouterr().out
    assert main(["page", "as-published", "--recorded", *at]) == 0
    assert document.read_text() == (DOCS / "as_published.md").read_text()
    assert figure.is_file()


def test_a_page_is_printed_and_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["page", "attack-table", "--print"]) == 0
    assert "| `dba` |" in capsys.readouterr().out
    assert main(["page", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(PAGES)
    assert main(["page"]) == 2
    assert "page must be one of attack-table" in capsys.readouterr().err


def test_a_page_s_part_is_replaced_and_nothing_else() -> None:
    page = "above\n<!-- x: begin -->\nold\n<!-- x: end -->\nbelow\n"
    assert with_part(page, "x", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="must have a part between"):
        with_part(page, "y", "new")
