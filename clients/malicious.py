"""The malicious client: the honest one with an attack plugged in."""

from __future__ import annotations

from dataclasses import dataclass

from flwr.common import Scalar

from attacks import Attack

from .collusion import Collusion
from .honest import HonestClient
from .training_cache import NDArrays


@dataclass(eq=False, repr=False, kw_only=True)
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

    attack: Attack
    collusion: Collusion = Collusion()

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
            done = self.cache.done_ahead(self.partition_id, poisoned=True)
            trained, report = done or self.train(parameters, server_round, attack.poison_batch)
            update = [before - after for before, after in zip(parameters, trained, strict=True)]
        else:
            honest = knowledge.own_honest_training()
            update, report = honest.update, honest.report
        poisoned = attack.poison_update(update, knowledge)
        sent = [before - g for before, g in zip(parameters, poisoned, strict=True)]
        falsified = attack.falsify_report(report, knowledge)
        return sent, falsified.num_examples, self.metrics(falsified)
