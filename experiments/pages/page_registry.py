"""The generated pages of the documentation: a new one is a module with a ``PAGE`` and a line here."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from .page import Page


@dataclass(frozen=True)
class Entry:
    """A page's module, and what it makes.

    Attributes
    ----------
    module : str
        Dotted name; its ``PAGE`` is the `Page`. Imported when asked for.
    makes : str
    """

    module: str
    makes: str


PAGES: dict[str, Entry] = {
    "attack-table": Entry("experiments.pages.attack_table", "attacks.md: all attacks of the registry"),
    "threat-matrix": Entry(
        "experiments.pages.threat_matrix", "attacks.md: every attack against every aggregator"
    ),
    "false-reports": Entry(
        "experiments.pages.false_report_effects", "performance_reports.md: what false reports do"
    ),
    "tilt-direction": Entry(
        "experiments.pages.tilt_direction", "performance_reports.md: where the tilt turns the aggregate"
    ),
    "gap-measures": Entry(
        "experiments.pages.gap_measure_agreement", "performance_reports.md: measures of the gap compared"
    ),
    "hostile-replies": Entry(
        "experiments.pages.hostile_replies", "reliability.md: what hostile replies do to a round"
    ),
    "heterogeneity": Entry(
        "experiments.pages.heterogeneity", "heterogeneity.md: clients with unlike data"
    ),
    "paper-claims": Entry("experiments.pages.paper_claims", "paper_claims.md: verdicts and last rounds"),
    "as-published": Entry(
        "experiments.as_published.published_comparison", "as_published.md: beside the published curves"
    ),
    "corrections": Entry(
        "experiments.as_published.corrections", "as_published.md: the departures put right one at a time"
    ),
}


def page_named(name: str) -> Page:
    """Return the page of a name of `PAGES`."""
    page: Page = importlib.import_module(PAGES[name].module).PAGE
    return page


def quick_pages() -> list[str]:
    """Return the names of the pages made from registries and recorded results alone."""
    return [name for name in PAGES if not page_named(name).measured]
