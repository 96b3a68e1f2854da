"""The steps that the smallest network writes out are those of automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from clients.local_training import LocalTraining, train
from clients.training_steps import Pull, StepsItself
from pawbrofl_app.tasks.networks import initial_model


def test_steps_written_out_are_those_of_automatic_differentiation() -> None:
    models = [initial_model(seed, "small-perceptron") for seed in (1, 2, 3)]
    random = torch.Generator().manual_seed(0)
    images = torch.rand(3, 7, 1, 28, 28, generator=random)
    labels = torch.randint(10, (3, 7), generator=random)
    weights = torch.rand(3, 7, generator=random)
    weights[1] = 0  # a client that has taken all its steps
    assert isinstance(models[0], StepsItself)
    copies = [torch.stack(each).detach() for each in zip(*(m.parameters() for m in models), strict=True)]
    inputs = torch.stack([models[0].prepared(each) for each in images])
    scores = models[0].scores(copies, inputs)
    losses = models[0].sgd_step(copies, inputs, labels, weights, 0.3)
    for k, model in enumerate(models):
        expected = model(images[k])
        torch.testing.assert_close(scores[k], expected)
        each = torch.nn.functional.cross_entropy(expected, labels[k], reduction="none")
        loss = (weights[k] * each).sum()
        torch.testing.assert_close(losses[k], loss.detach())
        for parameter, gradient, copy in zip(
            model.parameters(), torch.autograd.grad(loss, list(model.parameters())), copies, strict=True
        ):
            torch.testing.assert_close(copy[k], parameter.detach() - 0.3 * gradient)
            assert k != 1 or torch.equal(copy[k], parameter.detach())


@pytest.mark.parametrize("strength", [None, 0.5])
def test_one_client_trains_as_by_automatic_differentiation(strength: float | None) -> None:
    model = initial_model(1, "small-perceptron")
    plain = nn.Sequential(
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(196, 64), nn.ReLU(), nn.Linear(64, 10))
    )
    for parameter, own in zip(plain.parameters(), model.parameters(), strict=True):
        parameter.data.copy_(own)
    images = torch.rand(13, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(13) % 10
    other = [own.detach() + 0.1 for own in model.parameters()]
    pull = None if strength is None else Pull(strength, other)
    training = LocalTraining(epochs=3, batch_size=5, learning_rate=0.1)
    losses, expected = (
        train(each, images, labels, training, torch.Generator().manual_seed(1), pull=pull)
        for each in (model, plain)
    )
    assert losses == pytest.approx(expected, abs=1e-5)
    for own, parameter in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(own, parameter)
