"""What the documentation's site has that is not in ``docs/``: a hook of MkDocs.

Pages link to files of the project as they do in the repository, ``../strategies/gramian.py``. Such a
text file is a page of its own there, another file is copied, and the project's documents are pages.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    "SECURITY.md": "security.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""Documents of the project's folder, by their names on the site."""
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(?=[)#])")
LANGUAGES = {".py": "python", ".toml": "toml", ".yaml": "yaml", ".service": "ini", "": "docker"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is outside of ``docs/`` and belongs to the site."""
    for name, uri in DOCUMENTS.items():
        files.append(File.generated(config, uri, abs_src_path=str(PROJECT / name)))
    documents = [file for file in files if file.src_uri.endswith(".md")]
    for path in sorted({path for file in documents for path in _linked(file)}):
        uri = _on_the_site(path)
        if files.get_file_from_path(uri) is None and (PROJECT / path).is_file():
            files.append(_file(path, uri, config))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links lead to where files of the project are on the site."""

    def moved(link: re.Match[str]) -> str:
        path = _in_the_project(page.file, link[1])
        here = posixpath.dirname(page.file.src_uri)
        return link[1] if path is None else posixpath.relpath(_on_the_site(path), here or ".")

    return LINK.sub(moved, markdown)


def _linked(file: File) -> Iterator[str]:
    for link in LINK.findall(file.content_string):
        path = _in_the_project(file, link)
        if path is not None:
            yield path


def _in_the_project(file: File, link: str) -> str | None:
    """Return the path of what a document links to, from the project's folder; None within ``docs/``."""
    origin = {uri: name for name, uri in DOCUMENTS.items()}.get(file.src_uri, f"docs/{file.src_uri}")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    return None if origin.startswith("docs/") and path.startswith("docs/") else path


def _on_the_site(path: str) -> str:
    if path in DOCUMENTS:
        return DOCUMENTS[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"source/{path}.md" if _language(path) is not None else f"source/{path}"


def _language(path: str) -> str | None:
    """Return what a file is highlighted as; None for one that is no text to read."""
    return LANGUAGES.get(posixpath.splitext(path)[1])


def _file(path: str, uri: str, config: MkDocsConfig) -> File:
    language = _language(path)
    if language is None:
        return File.generated(config, uri, abs_src_path=str(PROJECT / path))
    text = (PROJECT / path).read_text(encoding="utf-8")
    content = (
        f"---\ntitle: {path}\nhide: [toc]\nsearch:\n  exclude: true\n---\n\n~~~~{language}\n{text}~~~~\n"
    )
    return File.generated(config, uri, content=content)
