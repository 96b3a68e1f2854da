"""The generated pages of the documentation: a new one is a module with a ``PAGE`` and a line here."""

from __future__ import annotations

import importlib
from typing import NamedTuple

from .page import Page


class Entry(NamedTuple):
    """A page's module, and what it makes."""

    module: str
    """Its name in `experiments`. Imported when asked for."""
    makes: str
    name: str = "PAGE"
    """What the `Page` is called in it."""


PAGES = {
    "attack-table": Entry("pages.attack_table", "attacks.md: all attacks of the registry"),
    "threat-matrix": Entry("pages.threat_matrix", "attacks.md: every attack against every aggregator"),
    "false-reports": Entry(
        "pages.false_report_effects", "performance_reports.md: what false reports do"
    ),
    "tilt-direction": Entry(
        "pages.tilt_direction", "performance_reports.md: where the tilt turns the aggregate"
    ),
    "gap-measures": Entry(
        "pages.gap_measure_agreement", "performance_reports.md: measures of the gap compared"
    ),
    "hostile-replies": Entry(
        "pages.hostile_replies", "reliability.md: what hostile replies do to a round"
    ),
    "heterogeneity": Entry("pages.heterogeneity", "heterogeneity.md: clients with unlike data"),
    "minorities": Entry("pages.minority_table", "minorities.md: honest minorities, served or left out"),
    "choosing-a-defence": Entry(
        "pages.minority_table", "choosing_a_defence.md: honest minorities in short", "IN_CHOOSING"
    ),
    "adult-and-cifar10": Entry(
        "pages.other_tasks", "tasks.md: attacks against aggregators on Adult and CIFAR-10"
    ),
    "robust-and-fair": Entry(
        "pages.robust_and_fair",
        "robust_and_fair.md: minorities and attackers, who serves whom",
    ),
    "referee": Entry("pages.leaderboard", "referee.md: every defence under the worst attack found"),
    "referee-training": Entry(
        "pages.training_leaderboard", "referee.md: training runs under the worst attack found"
    ),
    "synthetic-fairness": Entry("pages.synthetic_fairness", "fairness.md: q-FFL's published example"),
    "paper-claims": Entry("pages.paper_claims", "paper_claims.md: verdicts and last rounds"),
    "as-published": Entry(
        "as_published.published_comparison", "as_published.md: beside the published curves"
    ),
    "corrections": Entry(
        "as_published.corrections", "as_published.md: the departures put right one at a time"
    ),
    "front-door": Entry("pages.front_door", "../README.md: its picture and numbers"),
    "settings": Entry("pages.settings_reference", "settings.md: all settings", "SETTINGS"),
    "command-line": Entry(
        "pages.settings_reference", "command_line.md: what the command takes", "COMMANDS"
    ),
    "how-it-works": Entry("pages.geometry", "how_it_works.md: the method in pictures"),
}


def page_named(name: str) -> Page:
    """Return the page of a name of `PAGES`."""
    entry = PAGES[name]
    page: Page = getattr(importlib.import_module(f"experiments.{entry.module}"), entry.name)
    return page


def quick_pages() -> list[str]:
    """Return the names of the pages made from registries and recorded results alone."""
    return [name for name in PAGES if not page_named(name).measured]
