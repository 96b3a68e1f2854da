"""Figures of one run, from two rounds of made-up diagnostics."""

from __future__ import annotations

from matplotlib.image import imread

from pawbrofl_app.records.layout import ClientEvaluation
from pawbrofl_app.records.run_figures import draw_figures
from pawbrofl_app.records.writer import RunWriter
from pawbrofl_app.tasks.evaluation import Evaluation


def test_figures_are_drawn(records: RunWriter) -> None:
    paths = draw_figures(records.rounds, records.clients, records.groups, records.run.figures_path)
    names = [path.name for path in paths]
    assert names == ["accuracy.png", "attack_success_rate.png", "largest_gap.png", "weights.png"]
    for path in paths:
        assert imread(path).std() > 0.01, f"{path.name} is empty"


def test_fairness_is_drawn_where_clients_evaluated(records: RunWriter) -> None:
    records.add_evaluations(3, [ClientEvaluation("0", 0.5, 0.9, 70)], 0.0)
    records.add_round(3, Evaluation(0.8, 1.0, 0.0), 0.5)
    paths = draw_figures(records.rounds, records.clients, records.groups, records.run.figures_path)
    assert paths[-1].name == "fairness.png"
    assert imread(paths[-1]).std() > 0.01
