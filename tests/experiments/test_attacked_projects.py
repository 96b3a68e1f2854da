"""The benchmarks of the library in other people's projects measure rounds that come to a model."""

from __future__ import annotations

import pytest

from experiments.benchmarks.attacked_projects import PROJECTS, STRATEGIES, Iris, Pictures, accuracy
from experiments.benchmarks.server_memory import WAYS, through_fit, through_messages


@pytest.mark.parametrize("way", WAYS)
def test_every_strategy_makes_a_model_of_the_replies(way: str) -> None:
    through = through_fit if way.startswith("aggregate_fit") else through_messages
    arrays, _ = through(WAYS[way](2), 10, [(5, 7), (3,)])()  # type: ignore[misc]
    assert arrays is not None


@pytest.mark.slow
def test_an_attack_ruins_the_mean_and_not_the_robust_one() -> None:
    reached = {name: accuracy(Iris(), make(), seed=1) for name, make in STRATEGIES.items()}
    assert reached["FedAvg"] < 0.5 < 0.9 < reached["PAwBRoFL()"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PROJECTS if not name.startswith("iris")])
def test_what_a_client_of_pictures_sends_is_what_it_trained(name: str, data_dir: str) -> None:
    """Of the transformer, the adapters and the head: its frozen layers are never sent."""
    project = PROJECTS[name]()
    assert isinstance(project, Pictures)
    start = project.initial(1)
    trained = project.train(start, 0, 1)
    assert [array.shape for array in trained] == [array.shape for array in start]
    assert all((before != after).any() for before, after in zip(start, trained, strict=True))
    assert 0 <= project.accuracy(trained) <= 1
