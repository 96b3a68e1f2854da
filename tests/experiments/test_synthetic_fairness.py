"""Synthetic(1, 1): its data, SGD in lock-step against a plain loop, and what is recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.pages.synthetic_fairness import (
    BATCH_SIZE,
    LEARNING_RATE,
    QS,
    Devices,
    accuracies,
    fairness_table,
    main,
    mean_loss,
    measure,
    synthetic,
    trained,
)


@pytest.fixture(scope="module")
def data() -> Devices:
    return synthetic(np.random.default_rng(1), 0.8)


def test_each_device_has_its_own_samples_and_labels(data: Devices) -> None:
    assert data.inputs.shape == (len(data.labels), 61)
    assert set(data.labels) == set(range(10))
    assert (data.inputs[:, -1] == 1).all()
    stops = [own.stop for own in data.test]
    assert [own.start for own in data.train] == [0, *stops[:-1]]
    for fitted, tested in zip(data.train, data.test, strict=True):
        size = tested.stop - fitted.start
        assert size >= 50
        assert fitted.stop - fitted.start == pytest.approx(0.8 * size, abs=1)
        assert tested.stop - tested.start == pytest.approx(0.1 * size, abs=1)
    spread = np.stack([data.inputs[own].var(axis=0) for own in data.train]).mean(axis=0)
    expected = np.arange(1, 61) ** -1.2
    np.testing.assert_allclose(spread[:-1], expected, rtol=0.2)


class Unshuffled:
    """In place of a random generator."""

    def permutation(self, length: int) -> np.ndarray:
        return np.arange(length)


def test_lock_step_is_plain_sgd_of_each(data: Devices) -> None:
    devices = np.argsort([own.stop - own.start for own in data.train])[[3, 60, 3, 40]].tolist()
    models = np.random.default_rng(2).normal(size=(4, 61, 10)).astype(np.float32)
    found = trained(models, data, devices, Unshuffled())  # type: ignore[arg-type]
    for model, device, result in zip(models, devices, found, strict=True):
        expected = model.astype(np.float64)
        own = data.train[device]
        for start in range(own.start, own.stop, BATCH_SIZE):
            batch = slice(start, min(start + BATCH_SIZE, own.stop))
            x = data.inputs[batch].astype(np.float64)
            scores = np.exp(x @ expected)
            errors = scores / scores.sum(axis=1, keepdims=True) - np.eye(10)[data.labels[batch]]
            expected -= LEARNING_RATE * x.T @ errors / len(x)
        np.testing.assert_allclose(result, expected, atol=2e-2)


def test_training_serves_the_devices_that_train(data: Devices) -> None:
    model = np.zeros((1, 61, 10), np.float32)
    assert mean_loss(model[0], data, 0) == pytest.approx(np.log(10))
    after = trained(model, data, [0], np.random.default_rng(0))[0]
    assert mean_loss(after, data, 0) < 1
    assert accuracies(after, data)[0] > 50


def test_rounds_are_recorded_and_reproducible(tmp_path: Path) -> None:
    rows = list(measure(2, 0.8, num_rounds=2, every=1))
    assert [(row["round"], row["q"]) for row in rows] == [(r, q) for r in (1, 2) for q in QS]
    assert all(0 <= row["worst 10%"] <= row["average"] <= 100 for row in rows)
    main(["--csv", str(tmp_path / "rows.csv"), "--partitions", "2", "--rounds", "2"])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "rows.csv"), pd.DataFrame(rows).round(3))


def test_the_table_is_of_the_last_round() -> None:
    rows = [
        {"partition": p, "round": r, "q": q, "average": 10.0 * p, "worst 10%": r, "variance": q}
        for p in (1, 2)
        for r in (1, 5)
        for q in QS
    ]
    table = fairness_table(pd.DataFrame(rows))
    assert "15.0 ± 7.1" in table
    assert "5.0 ± 0.0" in table
    assert "31.1" in table
