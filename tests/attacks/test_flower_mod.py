"""The mod `malicious` in both of Flower's APIs: a real ClientApp, called with real messages."""

from __future__ import annotations

import io
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MessageType,
    MetricRecord,
    RecordDict,
)
from flwr.client import NumPyClient
from flwr.clientapp import ClientApp
from flwr.common import FitIns, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common.recorddict_compat import fitins_to_recorddict, recorddict_to_fitres

from attacks import ATTACKS, malicious, poisoned
from attacks.flower_mod import MaliciousMod
from attacks.flower_records import ModelReply, report_of
from attacks.knowledge import HonestTraining, TrainingReport
from attacks.shared_folder import SharedFolder
from pawbrofl_app.engines.flower_identity import act_as_server_of, delivered

NUM_CLIENTS = 5
RECEIVED = [
    np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4),
    np.array([7], dtype=np.int64),
    np.arange(5, dtype=np.float64),
]
IMAGES, LABELS = np.random.default_rng(0).random((40, 28, 28), dtype=np.float32), np.arange(40) % 9
API = ("fit", "message")


def train(model: list[np.ndarray], partition_id: int) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Stand in for training: a step that depends on the client and on its data."""
    images, labels = poisoned((IMAGES, LABELS))
    step = 0.1 * (1 + partition_id) + float(images.mean()) + 0.01 * float((labels**2).mean())
    trained = [array + step if array.dtype.kind == "f" else array + 3 for array in model]
    trained = [array.astype(old.dtype) for array, old in zip(trained, model, strict=True)]
    metrics = {"loss_gap": 0.5 + partition_id, "loss_before": 2.0, "loss_after": 1.5 - partition_id}
    return trained, metrics


class FitClient(NumPyClient):
    def __init__(self, partition_id: int) -> None:
        self.partition_id = partition_id

    def fit(self, parameters: Any, config: Any) -> Any:
        trained, metrics = train(parameters, self.partition_id)
        return trained, 20, metrics


def fit_app(mods: list[Any]) -> ClientApp:
    return ClientApp(lambda context: FitClient(context.node_config["partition-id"]).to_client(), mods)


def message_app(mods: list[Any]) -> ClientApp:
    app = ClientApp(mods=mods)

    @app.train()
    def _(message: Message, context: Context) -> Message:
        model = message.content["arrays"].to_numpy_ndarrays()
        trained, metrics = train(model, context.node_config["partition-id"])
        metrics = {name.replace("_", "-"): value for name, value in metrics.items()}
        records = {
            "arrays": ArrayRecord(trained),
            "metrics": MetricRecord({**metrics, "num-examples": 20}),
        }
        return Message(RecordDict(records), reply_to=message)

    @app.evaluate()
    def _(message: Message, context: Context) -> Message:
        images, _ = poisoned((IMAGES, LABELS))
        record = MetricRecord({"num-examples": 20, "same": float(images is IMAGES)})
        return Message(RecordDict({"metrics": record}), reply_to=message)

    return app


def request(api: str, server_round: int) -> tuple[RecordDict, str]:
    """Return a request's content and group, as Flower's strategies make them."""
    if api == "fit":
        ins = FitIns(ndarrays_to_parameters(RECEIVED), {})
        return fitins_to_recorddict(ins, keep_input=True), str(server_round)
    config = ConfigRecord({"server-round": server_round})
    return RecordDict({"arrays": ArrayRecord(RECEIVED), "config": config}), ""


def call(
    api: str,
    mods: list[Any],
    partition_id: int,
    server_round: int = 1,
    node_config: dict[str, Any] | None = None,
    message_type: str = MessageType.TRAIN,
) -> Message:
    """Send a message to one client's app and return its reply."""
    act_as_server_of(1)
    content, group = request(api, server_round)
    sent = Message(content, dst_node_id=partition_id + 1, message_type=message_type, group_id=group)
    places = {"partition-id": partition_id, "num-partitions": NUM_CLIENTS}
    context = Context(1, partition_id + 1, places | (node_config or {}), RecordDict(), {})
    app = {"fit": fit_app, "message": message_app}[api](mods)
    return app(delivered(sent, "1", content), context)


def answer(api: str, *arguments: Any, **options: Any) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return the model and the metrics that one client answers with, metrics with underscores."""
    reply = call(api, *arguments, **options)
    if api == "fit":
        result = recorddict_to_fitres(reply.content, keep_input=True)
        return parameters_to_ndarrays(result.parameters), dict(result.metrics)
    metrics = {key.replace("-", "_"): value for key, value in reply.content["metrics"].items()}
    return reply.content["arrays"].to_numpy_ndarrays(), metrics


@pytest.fixture(params=API)
def api(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def attackers(mod: MaliciousMod) -> list[int]:
    numbers = range(NUM_CLIENTS)
    return [k for k in numbers if mod.place({"partition-id": k, "num-partitions": NUM_CLIENTS})]


def test_an_update_is_flipped_and_counters_are_left_alone(api: str) -> None:
    mod = malicious("sign-flip(scale=2)", fraction=0.2, seed=1)
    (attacker,) = attackers(mod)
    honest, _ = answer(api, [], attacker)
    sent, _ = answer(api, [mod], attacker)
    for before, trained, poisoned_array in zip(RECEIVED, honest, sent, strict=True):
        assert poisoned_array.dtype == before.dtype
        if before.dtype.kind == "f":
            np.testing.assert_allclose(poisoned_array, before - 2 * (trained - before), rtol=1e-5)
        else:
            np.testing.assert_array_equal(poisoned_array, trained)


def test_honest_clients_answer_bit_for_bit_as_without_the_mod(api: str) -> None:
    mod = malicious("dba+inflated-report", fraction=0.4, seed=3)
    honest = set(range(NUM_CLIENTS)) - set(attackers(mod))
    assert len(honest) == 3
    for client in honest:
        (plain, metrics), (sent, told) = answer(api, [], client), answer(api, [mod], client)
        assert metrics == told
        for array, expected in zip(sent, plain, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_both_apis_send_the_same(tmp_path: Path) -> None:
    for name in ATTACKS:
        mod = malicious(name, fraction=0.4, seed=2, shared_folder=tmp_path / name)
        for client in attackers(mod):
            (fit, fit_metrics), (message, metrics) = (answer(api, [mod], client) for api in API)
            for array, expected in zip(fit, message, strict=True):
                np.testing.assert_array_equal(array, expected, err_msg=name)
            metrics.pop("num_examples")
            np.testing.assert_equal(metrics, fit_metrics)


@pytest.mark.mostly_slow(4)
@pytest.mark.parametrize("name", list(ATTACKS))
def test_every_attack_changes_what_the_registry_says(name: str, api: str) -> None:
    mod = malicious(name, fraction=0.4, seed=2)
    attacker = attackers(mod)[0]
    (honest, metrics), (sent, told) = answer(api, [], attacker), answer(api, [mod], attacker)
    changed = [not np.array_equal(a, b) for a, b in zip(honest, sent, strict=True)]
    assert all(np.isfinite(array).all() for array in sent)
    # Alone, an attacker that hides among the updates that it knows hides in its own.
    alone = {"alie", "opt-alie", "min-sum", "min-max", "mimic", "norm-ball", "anti-minority"}
    expected = {"data", "update"} & set(ATTACKS[name].changes) and name not in alone
    assert any(changed) == bool(expected)
    lies = {"honest-report", "colluding-report"}
    if "report" in ATTACKS[name].changes and name not in lies:
        assert told["loss_gap"] != metrics["loss_gap"]
    else:
        np.testing.assert_equal(told, metrics)


def test_an_honest_report_hides_what_poisoned_data_gain(api: str) -> None:
    mod = malicious("label-flip+honest-report", fraction=0.2, seed=1)
    (attacker,) = attackers(mod)
    honest, metrics = answer(api, [], attacker)
    sent, told = answer(api, [mod], attacker)
    assert told == metrics
    assert not np.array_equal(honest[0], sent[0])


def test_attacks_keep_to_their_rounds(api: str) -> None:
    mod = malicious("sign-flip", fraction=0.2, seed=1, first_round=2, last_round=3)
    (attacker,) = attackers(mod)
    honest, _ = answer(api, [], attacker)
    for server_round, attacks in ((1, False), (2, True), (3, True), (4, False)):
        sent, _ = answer(api, [mod], attacker, server_round)
        assert np.array_equal(sent[0], honest[0]) != attacks


def test_the_node_config_says_who_is_malicious(api: str) -> None:
    mod = malicious("sign-flip", fraction=0.2, seed=1)
    (drawn,) = attackers(mod)
    other = (drawn + 1) % NUM_CLIENTS
    for says, client, attacks in ((False, drawn, False), (True, other, True)):
        honest, _ = answer(api, [], client)
        sent, _ = answer(api, [mod], client, node_config={"malicious": says})
        assert np.array_equal(sent[0], honest[0]) != attacks
    alone = malicious("sign-flip")  # no fraction: those alone whose node config says so
    assert attackers(alone) == []
    assert alone.place({"malicious": True, "num-partitions": 9}) is not None


def test_who_is_malicious_is_drawn_as_in_the_app(defaults: dict[str, Any]) -> None:
    from pawbrofl_app.roles import malicious_clients
    from pawbrofl_app.settings.run_config import RunConfig

    for seed in range(5):
        settings = {"seed": seed, "num-clients": NUM_CLIENTS, "malicious-fraction": 0.4}
        config = RunConfig.parse(defaults | settings)
        assert attackers(malicious("dba", fraction=0.4, seed=seed)) == malicious_clients(config)


def test_colluding_attackers_agree_on_what_they_left_in_the_folder(api: str, tmp_path: Path) -> None:
    mod = malicious("ipm(strength=1)", fraction=0.6, seed=1, shared_folder=tmp_path)
    group = attackers(mod)
    honest = [answer(api, [], client)[0] for client in group]
    first = {client: answer(api, [mod], client)[0] for client in group}
    second = {client: answer(api, [mod], client, 2)[0] for client in reversed(group)}
    known = np.mean([RECEIVED[0] - model[0] for model in honest], axis=0)
    for client in group:
        own = RECEIVED[0] - honest[group.index(client)][0]
        np.testing.assert_allclose(first[client][0], RECEIVED[0] + own, rtol=1e-5)
        np.testing.assert_allclose(second[client][0], RECEIVED[0] + known, rtol=1e-5)
    assert len({second[client][0].tobytes() for client in group}) == 1
    answer(api, [mod], group[0], 3)
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["round-2", "round-3"]


def test_attackers_read_of_each_other_what_was_left(tmp_path: Path) -> None:
    folder = SharedFolder(tmp_path, run_id=1)
    left = HonestTraining([np.arange(3.0)], TrainingReport(2.0, 1.5, 20, 0.5))
    folder.leave(4, 11, left)
    (found,) = folder.left_before(5)
    assert found.report == left.report
    np.testing.assert_array_equal(found.update[0], left.update[0])


def test_a_past_round_that_cannot_be_removed_ends_no_training(tmp_path: Path) -> None:
    """As where another attacker removes it at the same time."""
    folder = SharedFolder(tmp_path, run_id=1)
    left = HonestTraining([np.zeros(3)], TrainingReport(2.0, 1.5, 20, 0.5))
    folder.leave(2, 0, left)
    (tmp_path / "run-1" / "round-1").touch()
    folder.leave(3, 0, left)
    assert len(folder.left_before(4)) == 1


def test_a_report_is_read_whatever_its_metrics_are_spelt_like() -> None:
    expected = TrainingReport(2.0, 1.5, 20, 0.5)
    for spelt in ("_", "-"):
        names = ("loss_before", "loss_after", "num_examples", "loss_gap")
        metrics = dict(zip((name.replace("_", spelt) for name in names), astuple(expected), strict=True))
        assert report_of(RecordDict({"metrics": MetricRecord(metrics)})) == expected


def test_an_attack_unpickles_no_array() -> None:
    content = io.BytesIO()
    np.save(content, np.array([print], dtype=object), allow_pickle=True)
    record = ArrayRecord({"0": Array("object", (1,), "numpy.ndarray", content.getvalue())})
    with pytest.raises(ValueError, match="allow_pickle=False"):
        ModelReply.of(RecordDict({"arrays": record}), RecordDict({"arrays": record}))


def test_data_are_poisoned_only_while_a_malicious_client_trains() -> None:
    mod = malicious("label-flip", fraction=0.2, seed=1)
    (attacker,) = attackers(mod)
    reply = call("message", [mod], attacker, message_type=MessageType.EVALUATE)
    assert reply.content["metrics"]["same"] == 1.0
    assert poisoned((IMAGES, LABELS))[1] is LABELS


def test_an_attack_on_data_that_gets_no_data_says_so() -> None:
    mod = malicious("dba", fraction=1.0)
    app = ClientApp(mods=[mod])

    @app.train()
    def _(message: Message, context: Context) -> Message:
        return Message(RecordDict({"arrays": message.content["arrays"]}), reply_to=message)

    content, _ = request("message", 1)
    act_as_server_of(1)
    sent = delivered(Message(content, dst_node_id=1, message_type="train"), "1", content)
    context = Context(1, 1, {"partition-id": 0, "num-partitions": 2}, RecordDict(), {})
    with pytest.raises(ValueError, match=r"changes data.*poisoned\(train_set\)"):
        app(sent, context)


def test_a_bfloat16_model_is_attacked_as_numbers() -> None:
    import torch
    from flwr.app import Array

    from attacks.flower_records import ModelReply

    def record(values: torch.Tensor) -> RecordDict:
        array = values.bfloat16().view(torch.int16).numpy().view("V2")
        return RecordDict({"arrays": ArrayRecord({"w": Array(array)})})

    sent, reply = record(torch.tensor([1.0, -2.0])), record(torch.tensor([1.5, -2.0]))
    model = ModelReply.of(sent, reply)
    model.send([-2 * array for array in model.update])
    bits = np.array(reply["arrays"]["w"].numpy()).view(np.int16)
    read = torch.from_numpy(bits.copy()).view(torch.bfloat16)
    assert read.tolist() == [0.0, -2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attack": "sign-flop"}, "did you mean 'sign-flip'"),
        ({"attack": "sign-flip", "fraction": 1.2}, "fraction must lie between 0 and 1, got 1.2"),
        ({"attack": "sign-flip", "scael": 2}, "got 'scael' .did you mean 'scale'"),
        ({"attack": "sign-flip", "attacker": 2}, "got 'attacker'"),
        ({"attack": "sign-flip", "num_clients": 0}, "num_clients must be at least 1"),
        ({"attack": "sign-flip(scale=-1)"}, "scale must be above 0"),
    ],
)
def test_what_is_wrong_is_named_before_anything_runs(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        malicious(**options)


@pytest.mark.parametrize(
    ("node_config", "message"),
    [
        ({}, "partition-id None of None"),
        ({"partition-id": 3}, "partition-id 3 of None"),
        ({"partition-id": 5, "num-partitions": 5}, "partition-id 5 of 5"),
        ({"malicious": "yes"}, "malicious in the node config must be true or false, got 'yes'"),
    ],
)
def test_a_node_config_that_does_not_tell_is_named(node_config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        malicious("sign-flip", fraction=0.2).place(node_config)
