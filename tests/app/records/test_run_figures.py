"""Figures of one run, from two rounds of made-up diagnostics."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from pawbrofl_app.records import run_figures
from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.records.run_figures import DPI, draw_figures
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.tasks.evaluation import Evaluation
from strategies.diagnostics import ClientDiagnostics, RoundDiagnostics

TITLE = "digits, attack dba, coalition-filtering, seed 1"


def drawn_of(records: RunWriter) -> list[Path]:
    tables = (records.rounds, records.clients, records.groups)
    return draw_figures(*tables, records.run.figures_path, TITLE)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Figure]]:
    """The figures that are drawn, which otherwise are saved and closed."""
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    monkeypatch.setattr(plt, "close", drawn.append)
    yield drawn
    monkeypatch.undo()
    plt.close("all")


def test_figures_say_what_the_run_was_and_have_no_tick_beyond_its_last_round(
    records: RunWriter, figures: list[Figure]
) -> None:
    for server_round in range(3, 21):
        records.add_round(server_round, Evaluation(0.8, 1.0, 0.02), 0.5)
    drawn_of(records)
    for figure in figures:
        assert figure.get_suptitle() == TITLE
    for figure in figures[:2]:
        low, high = figure.axes[0].get_xlim()
        ticks = [tick for tick in figure.axes[0].get_xticks() if low <= tick <= high]
        assert ticks == [int(tick) for tick in ticks]
        assert 0 <= min(ticks) < max(ticks) <= 20


def test_what_malicious_clients_report_does_not_hide_the_honest_gap(
    records: RunWriter, figures: list[Figure]
) -> None:
    drawn_of(records)
    axes = figures[2].axes[0]
    assert [str(line.get_label()).split(",")[0] for line in axes.lines] == ["honest clients", "all"]
    assert axes.get_ylim()[1] == pytest.approx(2 * 0.3), "malicious clients report 4.0"


def test_a_picture_of_a_hundred_clients_fits_a_screen_and_names_the_malicious_ones(
    records: RunWriter, figures: list[Figure]
) -> None:
    clients = tuple(ClientDiagnostics(str(n), 0.01, 0.01, 0.2, n == 2, 70) for n in range(100))
    records.add_clients(RoundDiagnostics(3, clients, 1.5, 0.25))
    drawn_of(records)
    assert figures[3].get_figheight() * DPI <= 1080
    names = [label.get_text() for label in figures[3].axes[0].get_yticklabels()]
    assert "2" in names
    assert len(names) <= 40


def test_figures_are_drawn_and_fairness_where_clients_evaluated(
    records: RunWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_figures, "DPI", 50)
    names = ["accuracy.png", "attack_success_rate.png", "largest_gap.png", "weights.png"]
    with monkeypatch.context() as unsaved:
        unsaved.setattr(Figure, "savefig", lambda *_, **__: None)
        assert [path.name for path in drawn_of(records)] == names
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    paths = drawn_of(records)
    assert [path.name for path in paths] == [*names, "fairness.png"]
    for path in paths:
        assert imread(path).std() > 0.01, f"{path.name} is empty"
