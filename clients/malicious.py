"""The malicious client: the honest one with an attack plugged in."""

from __future__ import annotations

from collections.abc import Callable

from flwr.common import Scalar
from torch import Tensor, nn

from attacks import Attack, Knowledge, TrainingReport

from .collusion import Collusion
from .honest import HonestClient, NDArrays, batch_order
from .local_training import LocalTraining, train_and_measure
from .model_arrays import arrays_of, load_arrays


class MaliciousClient(HonestClient):
    """A client whose data, update and report an attack may change; honest outside attack rounds.

    Parameters
    ----------
    attack : Attack
        What it changes, and in which rounds.
    collusion : Collusion
        Whom it works with. By default it is alone.
    others
        Those of `HonestClient`.
    """

    def __init__(
        self,
        make_model: Callable[[], nn.Module],
        inputs: Tensor,
        labels: Tensor,
        training: LocalTraining,
        *,
        partition_id: int,
        seed: int,
        attack: Attack,
        collusion: Collusion | None = None,
    ) -> None:
        super().__init__(make_model, inputs, labels, training, partition_id=partition_id, seed=seed)
        self.attack = attack
        self.collusion = Collusion() if collusion is None else collusion

    def fit(
        self, parameters: NDArrays, config: dict[str, Scalar]
    ) -> tuple[NDArrays, int, dict[str, Scalar]]:
        """Train the received model and send what the attack makes of it."""
        server_round = int(config["server_round"])
        attack = self.attack.in_round(server_round)
        if attack is None:
            return super().fit(parameters, config)
        knowledge = self.collusion.knowledge(self, parameters, server_round)
        if attack.poisons_data:
            update, report = self._train_on_poison(attack, parameters, server_round)
        else:
            honest = knowledge.own_honest_training()
            update, report = honest.update, honest.report
        return self._send(attack, knowledge, parameters, update, report)

    def _train_on_poison(
        self, attack: Attack, parameters: NDArrays, server_round: int
    ) -> tuple[NDArrays, TrainingReport]:
        model = self.make_model().to(self.inputs.device)
        load_arrays(model, parameters)
        report = train_and_measure(
            model,
            self.inputs,
            self.labels,
            self.training,
            batch_order(self.seed, server_round, self.partition_id),
            transform=attack.poison_batch,
        )
        trained = arrays_of(model)
        return [before - after for before, after in zip(parameters, trained, strict=True)], report

    def _send(
        self,
        attack: Attack,
        knowledge: Knowledge,
        parameters: NDArrays,
        update: NDArrays,
        report: TrainingReport,
    ) -> tuple[NDArrays, int, dict[str, Scalar]]:
        poisoned = attack.poison_update(update, knowledge)
        sent = [before - g for before, g in zip(parameters, poisoned, strict=True)]
        falsified = attack.falsify_report(report, knowledge)
        return sent, falsified.num_examples, self.metrics(falsified)
