"""The edge-case backdoor: rare inputs of a class under another label, with nothing stamped on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from attacks import CombinedAttack, backdoor_success, make_attack, poisoned
from attacks.backdoors.edge_case import EdgeCaseBackdoor, tail
from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.roles import attack_of, malicious_clients
from pawbrofl_app.settings.machine_check import check_machine
from pawbrofl_app.settings.node_config import Site
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig
from pawbrofl_app.tasks.datasets import load_task
from pawbrofl_app.tasks.evaluation import evaluate
from pawbrofl_app.tasks.partitions import client_samples, root_samples, samples_beside

SOURCE, TARGET = 3, 1
N = 200
RANDOM = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, 1, 6, 6, generator=RANDOM) * torch.rand(N, 1, 1, 1, generator=RANDOM)
LABELS = torch.randint(0, 5, (N,), generator=RANDOM)
OWN = INPUTS[LABELS == SOURCE]
TAIL = OWN[tail(OWN, 0.2)]
NAMED = f"edge-case(source={SOURCE}, target={TARGET}, share=0.2, poison_fraction=0.3)"


def of_class(label: int) -> Tensor:
    return INPUTS[label == LABELS]


def among(inputs: Any, others: Tensor) -> list[bool]:
    """Return for each input whether it is one of the others, bit for bit."""
    return [any(torch.equal(torch.as_tensor(one), other) for other in others) for one in inputs]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 1.0])
def test_the_tail_lies_farther_from_the_mean_than_all_the_rest(share: float) -> None:
    places = tail(OWN, share)
    assert len(places) == max(1, round(share * len(OWN)))
    distances = (OWN - OWN.mean(dim=0)).flatten(1).norm(dim=1)
    inside = torch.zeros(len(OWN), dtype=torch.bool)
    inside[places] = True
    assert inside.all() or distances[inside].min() > distances[~inside].max()


def test_another_order_of_the_samples_is_another_order_of_the_tail_and_no_more() -> None:
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    backdoor = make_attack(NAMED, {}).backdoor
    assert backdoor is not None
    cases, shuffled = backdoor.cases(INPUTS, LABELS), backdoor.cases(INPUTS[order], LABELS[order])
    assert torch.equal(shuffled, cases[order])
    assert all(among(INPUTS[cases], TAIL))
    assert int(cases.sum()) == len(TAIL)


def test_a_class_without_samples_has_an_empty_tail() -> None:
    assert tail(OWN[:0], 0.5).tolist() == []
    attack = make_attack(NAMED, {}).with_data(lambda _: OWN[:0])
    images, labels = attack.poison_batch(INPUTS, LABELS)
    assert torch.equal(images, INPUTS)
    assert torch.equal(labels, LABELS)


def test_only_edge_cases_come_into_a_batch_as_the_target_and_the_rest_stays() -> None:
    attack = make_attack(NAMED, {}).with_data(of_class)
    images, labels = attack.poison_batch(INPUTS[:40], LABELS[:40])
    assert all(among(images[:12], TAIL))
    assert labels[:12].tolist() == [TARGET] * 12
    assert torch.equal(images[12:], INPUTS[12:40])
    assert torch.equal(labels[12:], LABELS[12:40])
    again, _ = attack.poison_batch(INPUTS[:40], LABELS[:40])
    assert torch.equal(again, images)
    other, _ = attack.poison_batch(INPUTS[40:80], LABELS[40:80])
    assert not torch.equal(other[:12], images[:12])


def test_over_the_batches_all_of_the_tail_is_trained_on() -> None:
    attack = make_attack(NAMED, {}).with_data(of_class)
    shown = torch.cat(
        [attack.poison_batch(INPUTS[k : k + 10], LABELS[k : k + 10])[0][:3] for k in range(N - 9)]
    )
    assert all(among(TAIL, shown))


def test_edge_cases_of_one_s_own_are_kept_and_combined_attacks_are_shown_the_data() -> None:
    own = torch.ones(2, 1, 6, 6)
    brought = EdgeCaseBackdoor(source=SOURCE, target=TARGET, edge_cases=own).with_data(of_class)
    assert brought.poison_batch(INPUTS[:3], LABELS[:3])[0][0].unique().tolist() == [1.0]
    combined = make_attack(f"{NAMED}+norm-ball", {}).with_data(of_class)
    assert isinstance(combined, CombinedAttack)
    assert all(among(combined.poison_batch(INPUTS[:10], LABELS[:10])[0][:3], TAIL))


class Taught(nn.Module):
    """Gives the target to some inputs, and to all others the class that they have."""

    def __init__(self, inputs: Tensor) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, images: Tensor) -> Tensor:
        right = [int(LABELS[among(INPUTS, image[None]).index(True)]) for image in images]
        fooled = torch.tensor(among(images, self.inputs))
        return functional.one_hot(torch.where(fooled, TARGET, torch.tensor(right)), 5).float()


@pytest.mark.parametrize(
    ("fooled_by", "success"),
    [(TAIL, 1.0), (OWN, 1.0), (TAIL[:3], 3 / len(TAIL)), (INPUTS[:0], 0.0)],
    ids=["tail", "class", "three", "nothing"],
)
def test_success_is_measured_on_the_tail_of_the_test_samples(fooled_by: Tensor, success: float) -> None:
    model, backdoor = Taught(fooled_by), make_attack(NAMED, {}).backdoor
    result = evaluate(model, INPUTS, LABELS, backdoor)
    assert result.attack_success_rate == pytest.approx(success)
    assert result.accuracy == pytest.approx(1 - len(fooled_by) / N)
    assert backdoor_success(model, INPUTS, LABELS, NAMED) == pytest.approx(success)


def test_a_model_that_is_fooled_by_everything_but_the_tail_has_no_success() -> None:
    rest = OWN[[not one for one in among(OWN, TAIL)]]
    model = Taught(torch.cat([rest, INPUTS[LABELS != SOURCE]]))
    assert backdoor_success(model, INPUTS, LABELS, NAMED) == 0.0


KINDS: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (INPUTS.numpy(), LABELS.numpy()),
    "data set": lambda: TensorDataset(INPUTS, LABELS),
    "loader": lambda: DataLoader(TensorDataset(INPUTS, LABELS), batch_size=20),
}


@pytest.mark.parametrize("kind", KINDS)
def test_in_any_project_the_tail_is_that_of_the_data_handed_over(kind: str) -> None:
    data = poisoned(KINDS[kind](), NAMED)
    if kind == "data set":
        data = [torch.stack(column) for column in zip(*(data[i] for i in range(N)), strict=True)]
    elif kind == "loader":
        data = [torch.cat(column) for column in zip(*data, strict=True)]
    images, labels = (torch.as_tensor(column) for column in data)
    new = (images != INPUTS).flatten(1).any(dim=1) | (labels != LABELS)
    assert int(new.sum()) == pytest.approx(0.3 * N, abs=2), "a tail input may replace itself"
    assert all(among(images[new], TAIL))
    assert set(labels[new].tolist()) == {TARGET}


@pytest.mark.parametrize(
    ("attack", "message"),
    [
        ("edge-case(source=2)", "source must be another class than target 2, got 2"),
        ("edge-case(source=-1)", "source must be at least 0, got -1"),
        ("edge-case(share=0)", "share must be above 0 and at most 1, got 0.0"),
        ("edge-case(share=1.5)", "share must be above 0 and at most 1, got 1.5"),
        ("edge-case(edge_cases=1)", "edge-case takes parameters such as name=value of .*source"),
    ],
)
def test_what_is_out_of_range_is_named(attack: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_attack(attack, {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"attack": "edge-case(source=10)"},
            "source must be one of the test samples' classes 0, 1, .*9, got 10",
        ),
        (
            {"attack": "edge-case", "target-label": 7},
            "source must be another class than target 7, got 7",
        ),
    ],
)
def test_what_a_task_does_not_have_is_refused_before_the_run(
    defaults: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidSetting, match=message):
        check_machine(RunConfig.parse(defaults | settings))


def test_attackers_bring_edge_cases_that_no_honest_client_and_no_server_holds(
    defaults: dict[str, Any],
) -> None:
    settings = {"attack": "edge-case(share=0.5)+norm-ball", "training-samples": 900, "root-data": 60}
    config = RunConfig.parse(defaults | settings)
    data, malicious = config.partitioned_data, malicious_clients(config)
    brought = samples_beside(data, malicious)
    held = [client_samples(data, client) for client in range(20) if client not in malicious]
    honest = torch.cat([samples.inputs for samples in held])
    root = torch.cat([samples.inputs for samples in root_samples(data)])
    everything = len(load_task("digits").train)
    assert len(brought) + len(honest) + len(root) == everything
    assert not any(among(brought.inputs[:100], torch.cat([honest, root])))
    sevens = brought.inputs_of_class(7)
    for client in malicious:
        attack = attack_of(config, Site(client))
        assert isinstance(attack, CombinedAttack)
        edge_case = attack.attacks[0]
        assert isinstance(edge_case, EdgeCaseBackdoor)
        assert torch.equal(edge_case.edge_cases, sevens[tail(sevens, 0.5)])  # type: ignore[arg-type]


@pytest.mark.slow
def test_fedavg_learns_the_edge_cases_and_the_default_does_not(
    defaults: dict[str, Any], tmp_path: Path
) -> None:
    """Measured over the rounds: 0.64 to 0.81 with FedAvg (seeds 1 to 3), 0 with the default (seed 1)."""
    quick = {
        "network": "small-perceptron",
        "figures": False,
        "checkpoint-every": 0,
        "cohort-size": 20,
        "num-rounds": 8,
        "local-epochs": 2,
        "learning-rate": 0.1,
        "performance-aware": False,
        "attack": "edge-case(share=0.3)+model-replacement",
    }

    def success(aggregator: str, malicious_fraction: float) -> float:
        folder = tmp_path / f"{aggregator}-{malicious_fraction}"
        given = {"aggregator": aggregator, "malicious-fraction": malicious_fraction}
        config = RunConfig.parse(defaults | quick | given | {"results-dir": str(folder)})
        run_in_this_process(config)
        rounds = pd.read_csv(folder / "rounds.csv").query("round > 0")
        return float(rounds["attack_success_rate"].mean())

    assert success("mean", 0.2) > 0.4
    assert success("mean", 0.0) < 0.05
    assert success("coalition-filtering", 0.2) < 0.05
