"""Models of several arrays and dtypes: what is averaged, what is taken as it is, what is left aside."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import strategies.message
from strategies import Filtering, Mean, PAwBRoFL, PerformanceAware, aggregate
from strategies.replies.sent_model import outside_gramian
from strategies.replies.serialized_arrays import BFLOAT16, serialize_array
from strategies.server_step import server_step

from .one_round import BOTH_APIS, AggregateFit, AggregateTrain, Model, Reply

PLAIN: dict[str, Any] = {"weighting": Mean(), "performance": None}


@pytest.fixture(params=BOTH_APIS)
def api(request: pytest.FixtureRequest) -> Any:
    return request.param


def replies_of(models: list[Model], gaps: list[float] | None = None) -> list[Reply]:
    metrics: list[dict[str, Any]] = [{"partition_id": n} for n in range(len(models))]
    for report, gap in zip(metrics, gaps or [], strict=False):
        report["loss_gap"] = gap
    return [Reply(n + 1, model, metrics[n]) for n, model in enumerate(models)]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_arrays_keep_dtype_and_shape(api: Any, dtype: Any) -> None:
    start = [np.zeros((2, 3), dtype), np.zeros((), dtype), np.zeros((0, 4), dtype)]
    models = [[a + n for a in start] for n in (1, 2, 6)]
    model = api(**PLAIN).run(start, replies_of([[np.asarray(a) for a in m] for m in models]))
    assert [a.dtype for a in model] == [a.dtype for a in start]
    assert [a.shape for a in model] == [a.shape for a in start]
    assert np.all(model[0] == 3)
    assert model[1] == 3


def test_float16_models_may_differ_by_more_than_float16_holds(api: Any) -> None:
    start = [np.full(3, 60000, np.float16)]
    models = [[np.full(3, value, np.float16)] for value in (-60000, -60000, 0)]
    model = api(**PLAIN).run(start, replies_of(models))
    np.testing.assert_array_equal(model[0], np.full(3, -40000, np.float16))


def test_clients_may_send_another_precision(api: Any) -> None:
    start = [np.zeros(3, np.float32)]
    models = [[np.full(3, 1, np.float64)], [np.full(3, 2, np.float16)], [np.full(3, 3, np.float32)]]
    model = api(**PLAIN).run(start, replies_of(models))
    assert model[0].dtype == np.float32
    np.testing.assert_allclose(model[0], 2)


def bfloat16_bits(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return a PyTorch bfloat16 tensor as NumPy's format holds it."""
    return tensor.view(torch.int16).numpy().view("V2")


def test_bfloat16_models_are_averaged_as_numbers(api: Any) -> None:
    tensors = [torch.full((2, 2), value, dtype=torch.bfloat16) for value in (0.0, 1.5, 2.5, 5.0)]
    start, *models = [[bfloat16_bits(tensor)] for tensor in tensors]
    model = api(**PLAIN).run(start, replies_of(models))
    assert model[0].dtype == np.dtype("V2")
    back = torch.from_numpy(model[0].view(np.int16)).view(torch.bfloat16)
    assert torch.equal(back, torch.full((2, 2), 3.0, dtype=torch.bfloat16))


def test_bfloat16_is_rounded_as_pytorch_rounds_it() -> None:
    """Ties to the even one, and what exceeds all numbers to infinity."""
    upper = np.random.default_rng(0).integers(0, 2**16, 5000, dtype=np.uint32) << 16
    ends = np.array([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=np.uint32)
    values = (upper[:, None] | ends).view(np.float32)
    values = values[np.isfinite(values)]
    ours = np.load(BytesIO(serialize_array(values, BFLOAT16)))
    assert ours.tobytes() == bfloat16_bits(torch.from_numpy(values).bfloat16()).tobytes()


@pytest.mark.parametrize("kind", [np.int64, np.int32, np.uint8, np.bool_])
def test_what_most_weight_agrees_on_is_taken_as_it_is(api: Any, kind: Any) -> None:
    start = [np.zeros(3, np.float32), np.zeros(2, kind)]
    agreed, other = np.array([1, 0], kind), np.array([0, 1], kind)
    models = [[start[0] + n, other if n in (0, 1) else agreed] for n in range(5)]
    model = api(**PLAIN).run(start, replies_of(models))
    np.testing.assert_array_equal(model[1], agreed)
    assert model[1].dtype == kind


def test_an_attackers_array_of_integers_does_not_prevail() -> None:
    """The updates decide whose integers count: those of judged clients weigh nothing."""
    start = [np.zeros(50, np.float32), np.zeros((), np.int64)]
    random = np.random.default_rng(0)
    models = [[random.normal(1, 0.1, 50).astype(np.float32), np.asarray(100 + n)] for n in range(8)]
    models += [[np.full(50, -9, np.float32), np.asarray(-1)] for _ in range(2)]
    model = AggregateFit(weighting=Filtering(0.2), performance=None).run(start, replies_of(models))
    assert model is not None
    assert model[1] == 0, "the honest do not agree, so it stays"


@pytest.mark.parametrize("malicious", [0, 1, 2, 3, 4])
def test_who_may_be_malicious_cannot_set_integers_alone(api: Any, malicious: int) -> None:
    """Harmless updates earn weight, but of 10 clients two may be malicious, so three must agree."""
    start = [np.zeros(50, np.float32), np.asarray(7)]
    random = np.random.default_rng(0)
    integers = [-1] * malicious + list(range(100, 110 - malicious))
    models = [[random.normal(1, 0.1, 50).astype(np.float32), np.asarray(n)] for n in integers]
    model = api(**PLAIN).run(start, replies_of(models))
    assert model[1] == (-1 if malicious > 2 else 7)


def test_where_two_disagree_the_client_of_larger_weight_decides(api: Any) -> None:
    start = [np.zeros(3, np.float32), np.asarray(0)]
    models = [[np.ones(3, np.float32), np.asarray(100 + n)] for n in range(2)]
    tilt = PerformanceAware(mu=0.01, bound_reports=False)
    way = api(weighting=Mean(), performance=tilt)
    model = way.run(start, replies_of(models, gaps=[1.0, 3.0]))
    assert model[1] == 101


def test_integers_that_the_model_cannot_hold_are_refused(api: Any) -> None:
    start = [np.zeros(3, np.float32), np.zeros(2, np.int32)]
    models = [[start[0], np.zeros(2, kind)] for kind in (np.int64, np.uint32, np.float32, np.int16)]
    way = api(**PLAIN)
    way.run(start, replies_of(models))
    assert [bool(c.left_out) for c in way.rounds[0].clients] == [True, True, True, False]


class TestBatchNorm:
    """A real PyTorch model with BatchNorm, whose statistics stay out of the Gramian."""

    def state(self, seed: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
        for _ in range(3):
            model(torch.randn(16, 4) + seed)
        return model.state_dict()

    def arrays(self, seed: int) -> Model:
        return [tensor.numpy().copy() for tensor in self.state(seed).values()]

    @pytest.fixture
    def names(self) -> list[str]:
        return list(self.state(0))

    def test_by_name_and_by_position_is_the_same(self, names: list[str]) -> None:
        positions = [k for k, name in enumerate(names) if "running" in name]
        replies = replies_of([self.arrays(seed) for seed in range(1, 8)])
        by_position = AggregateFit(not_in_gramian=positions).run(self.arrays(0), replies)
        by_name = AggregateTrain(names=names, not_in_gramian=["*running_*"]).run(self.arrays(0), replies)
        assert by_position is not None
        assert by_name is not None
        for a, b in zip(by_position, by_name, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_statistics_have_no_say_in_the_weights(self, names: list[str]) -> None:
        models = [self.arrays(seed) for seed in range(1, 8)]
        for model in models[:3]:
            model[names.index("1.running_mean")] += 50
        way = AggregateTrain(names=names, not_in_gramian=["*running_*"], performance=None)
        way.run(self.arrays(0), replies_of(models))
        floats = [k for k, name in enumerate(names) if "running" not in name and "num_" not in name]
        start = self.arrays(0)
        updates = [[start[k] - model[k] for k in floats] for model in models]
        expected = aggregate(updates, way.strategy.weighting).robust_weights
        assert [c.robust_weight for c in way.rounds[0].clients] == pytest.approx(list(expected))

    def test_statistics_lie_between_what_trusted_clients_sent(self, names: list[str]) -> None:
        """An honest update beside absurd statistics moves them no further than others' own."""
        models = [self.arrays(seed) for seed in range(1, 11)]
        mean, var = names.index("1.running_mean"), names.index("1.running_var")
        honest = np.array([model[mean] for model in models[2:]])
        for attacker in models[:2]:
            attacker[mean] = np.full(3, 1e30, np.float32)
            attacker[var] = np.full(3, -1e30, np.float32)
        way = AggregateTrain(
            names=names, not_in_gramian=["*running_*"], weighting=Mean(), server_learning_rate=3.0
        )
        model = way.run(self.arrays(0), replies_of(models))
        assert model is not None
        assert np.all(model[mean] <= honest.max(axis=0))
        assert np.all(model[mean] >= honest.min(axis=0))
        assert np.all(model[var] > 0)

    def test_counters_come_as_they_are(self, names: list[str]) -> None:
        model = AggregateTrain(names=names).run(
            self.arrays(0), replies_of([self.arrays(seed) for seed in range(1, 8)])
        )
        assert model is not None
        counter = model[names.index("1.num_batches_tracked")]
        assert counter == 3
        assert counter.dtype == np.int64
        assert counter.shape == ()

    def test_the_next_model_loads_into_pytorch(self, names: list[str]) -> None:
        way = AggregateTrain(names=names)
        model = way.run(self.arrays(0), replies_of([self.arrays(n) for n in range(1, 8)]))
        assert model is not None
        module = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2))
        module.load_state_dict(way.record(model).to_torch_state_dict())


MODEL = [np.zeros(3, np.float32), np.zeros(2, np.int64)]


@pytest.mark.parametrize(
    ("names", "selection", "message"),
    [
        (["w", "n"], ["*bias"], r"named w, n.*'\*bias'"),
        (["w", "n"], [2], "0 to 1|named w, n"),
        (None, [5], r"0 to 1\), got 5"),
        (None, ["w"], "must hold positions.*'w'"),
        (["w", "n"], ["w"], "must hold floating-point arrays"),
    ],
)
def test_a_selection_without_an_array_is_refused(
    names: list[str] | None, selection: list[int | str], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        outside_gramian(MODEL, names, selection)


def test_a_model_without_floating_point_arrays_is_refused_before_training() -> None:
    with pytest.raises(ValueError, match="floating-point"):
        AggregateFit().run([np.zeros(3, np.int64)], [Reply(1, [np.ones(3, np.int64)])])


@pytest.mark.parametrize("strategy", [PAwBRoFL, strategies.message.PAwBRoFL])
def test_one_pattern_is_a_selection(strategy: Any) -> None:
    assert strategy(not_in_gramian="*bias").not_in_gramian == ("*bias",)
    assert strategy(not_in_gramian=[1, 2]).not_in_gramian == (1, 2)
    assert strategy().not_in_gramian == ()


def test_learning_rate_moves_what_is_in_the_gramian_only() -> None:
    start = [np.zeros(2, np.float32), np.zeros(2, np.float32)]
    models = [[a + 4 for a in start] for _ in range(3)]
    step = server_step(start, models, Mean(), server_learning_rate=0.5, not_in_gramian={1})
    np.testing.assert_array_equal(step.model, [[2, 2], [4, 4]])


def test_statistics_are_averaged_with_the_weights_after_the_tilt() -> None:
    start = [np.zeros(2, np.float32), np.zeros(2, np.float32)]
    models = [[a + n for a in start] for n in (1, 2, 6)]
    worst_alone = PerformanceAware(mu=1e-9, bound_reports=False)
    tilted: dict[str, Any] = {"loss_gaps": [0.0, 0.0, 1.0], "performance": worst_alone}
    step = server_step(start, models, Mean(), **tilted, not_in_gramian={1}, epsilon=0.0)
    np.testing.assert_array_equal(step.model[1], [6, 6])
