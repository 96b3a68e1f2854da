"""The paper's network, and what the server measures of it."""

from __future__ import annotations

import copy
import math
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attacks import Backdoor, BarTrigger
from clients.model_arrays import arrays_of, statistics_in
from pawbrofl_app import server_app
from pawbrofl_app.method import method_of
from pawbrofl_app.records.opening import open_records
from pawbrofl_app.roles import attack_of, malicious_clients
from pawbrofl_app.settings.node_config import Site
from pawbrofl_app.settings.run_config import RunConfig
from pawbrofl_app.tasks.convolutional_networks import ConvolutionalNetwork
from pawbrofl_app.tasks.evaluation import class_scores, evaluate
from pawbrofl_app.tasks.networks import NETWORKS, initial_model
from pawbrofl_app.tasks.task import Subgroup
from strategies import PAwBRoFL


def test_the_network_has_319520_parameters() -> None:
    assert sum(p.numel() for p in ConvolutionalNetwork().parameters()) == 319_520
    assert ConvolutionalNetwork()(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


@pytest.mark.mostly_slow(3)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_network_scores_ten_classes_and_can_be_trained(network: str) -> None:
    scores = initial_model(1, network)(torch.rand(2, 1, 28, 28))
    assert scores.shape == (2, 10)
    scores.sum().backward()
    assert not torch.equal(scores[0], scores[1])


def test_resnet_18_has_its_usual_size_and_batch_normalisation_is_no_part_of_the_gramian() -> None:
    grouped = initial_model(1, "resnet18", (3, 32, 32), 10)
    batched = initial_model(1, "resnet18-batch-norm", (3, 32, 32), 10)
    for model in (grouped, batched):
        assert sum(p.numel() for p in model.parameters()) == 11_173_962
    assert statistics_in(grouped) == []
    names = list(batched.state_dict())
    described = {names[position].rpartition(".")[2] for position in statistics_in(batched)}
    assert described == {"running_mean", "running_var"}
    assert len(statistics_in(batched)) == 2 * 20


@pytest.mark.slow
def test_the_apps_strategy_leaves_statistics_out_of_the_gramian(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    settings = {"dataset": "digits", "network": "resnet18-batch-norm", "num-clients": 4}
    config = RunConfig.parse(defaults | settings | {"results-dir": str(tmp_path / "run")})
    arrays = arrays_of(server_app.initial_model(config))
    with closing(open_records(config, [])) as records:
        strategy = server_app.make_strategy(config, records, arrays, method_of(config))
    assert isinstance(strategy, PAwBRoFL)
    left_out = strategy.not_in_gramian
    assert len(left_out) == 40
    assert all(arrays[int(position)].ndim == 1 for position in left_out)


def test_the_initial_model_is_drawn_from_the_seed_and_leaves_the_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first, again, other = (
        torch.cat([values.flatten() for values in initial_model(seed).parameters()])
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_relu_after_pooling_is_relu_before_it() -> None:
    after = initial_model(1)
    before = copy.deepcopy(after)
    for relu in (2, 5):
        before.layers[relu - 1], before.layers[relu] = before.layers[relu], before.layers[relu - 1]
    assert [type(layer) for layer in before.layers] != [type(layer) for layer in after.layers]
    images = torch.rand(20, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    both = []
    for model in (after, before):
        scores = model(images)
        gradients = torch.autograd.grad(scores.square().sum(), list(model.parameters()))
        both.append((scores, *gradients))
    assert all(torch.equal(ours, plain) for ours, plain in zip(*both, strict=True))


def test_scores_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    model = initial_model(1).eval()
    images = torch.rand(360, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    threads_before = torch.get_num_threads()
    scores = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        monkeypatch.setattr("pawbrofl_app.tasks.evaluation.processors", lambda threads=threads: threads)
        scores.append(class_scores(model, images))
    torch.set_num_threads(threads_before)
    assert torch.equal(scores[0], scores[1])
    assert torch.equal(scores[0], scores[2])


class Backdoored(nn.Module):
    """Classifies by the brightest of ten pixels in the last row, or as 2 where the trigger is."""

    def forward(self, images: Tensor) -> Tensor:
        scores = images[:, 0, 27, :10].clone()
        triggered = (images[:, 0, 0, :4] == 1).all(dim=1) & (images[:, 0, 3, 6:10] == 1).all(dim=1)
        scores[triggered, 2] = 10.0
        return scores


def images_of(classes: list[int]) -> Tensor:
    images = torch.zeros(len(classes), 1, 28, 28)
    for image, label in zip(images, classes, strict=True):
        image[0, 27, label] = 0.5
    return images


def test_attack_success_counts_only_images_of_other_classes() -> None:
    shown, labels = [0, 1, 2, 2, 2, 5], torch.tensor([0, 1, 2, 2, 3, 4])
    result = evaluate(Backdoored(), images_of(shown), labels, Backdoor(BarTrigger(), 2))
    assert result.accuracy == pytest.approx(4 / 6)
    assert result.attack_success_rate == 1.0
    clean = nn.Sequential(Backdoored())
    elsewhere = Backdoor(BarTrigger(shift=10), 2)
    missed = evaluate(clean, images_of(shown), labels, elsewhere)
    assert missed.attack_success_rate == pytest.approx(1 / 4), "the one 3 that looks like a 2"


def test_accuracy_is_measured_over_classes_where_they_are_uneven_and_for_each_subgroup() -> None:
    labels = torch.tensor([0, 0, 0, 0, 0, 0, 4, 4])
    images = images_of([0, 0, 0, 0, 0, 1, 4, 1])
    early = np.arange(8) < 4
    groups = {"early": early, "late": ~early, "nobody": np.zeros(8, bool)}
    result = evaluate(Backdoored(), images, labels, Backdoor(BarTrigger(), 2), groups)
    assert result.accuracy == pytest.approx(6 / 8)
    assert result.balanced_accuracy == pytest.approx((5 / 6 + 1 / 2) / 2)
    assert result.subgroups == (Subgroup("early", 4, 1.0), Subgroup("late", 4, 0.5))
    even = evaluate(Backdoored(), images[4:], labels[4:], Backdoor(BarTrigger(), 2))
    assert math.isnan(even.balanced_accuracy)
    assert even.subgroups == ()


def test_malicious_clients_are_drawn_from_the_seed(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults)
    malicious = malicious_clients(config)
    assert len(malicious) == 4
    assert malicious == malicious_clients(config)
    attacks = [attack_of(config, Site(client)) for client in range(20)]
    assert [client for client, attack in enumerate(attacks) if attack] == malicious
    numbers = [getattr(attacks[client], "attacker", None) for client in malicious]
    assert numbers == [0, 1, 2, 3]
    draws = {tuple(malicious_clients(RunConfig.parse(defaults | {"seed": seed}))) for seed in range(9)}
    assert len(draws) > 1
