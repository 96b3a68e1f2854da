"""What malicious clients know of each other, and of the honest trainings that they can recompute.

In a federation clients run apart, at any time and in any order. Attackers that share their data can all
recompute each other's honest training, as it follows from the model, the round, the data and the run's
seed. So no message between them is needed and nothing depends on which of them runs first. Clients that
share a `TrainingCache` compute each honest training of a round once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from attacks import HonestTraining, Knowledge

from .honest import HonestClient
from .training_cache import NDArrays

_RANDOM_OF_ATTACK = 1
"""Last word of the seed of an attack's random numbers, whatever it is: they are not the batches'."""


@dataclass(frozen=True)
class Collusion:
    """A malicious client's place among the others.

    Parameters
    ----------
    attacker : int
        Its number among the malicious clients, from 0.
    num_attackers, num_clients : int
        How many malicious clients and how many clients there are.
    known_clients : callable, optional
        Returns, as honest clients, all whose data the attackers have, in one order for all attackers:
        the malicious ones, or all honest ones for omniscient attackers. By default this client alone.
    """

    attacker: int = 0
    num_attackers: int = 1
    num_clients: int = 1
    known_clients: Callable[[], Sequence[HonestClient]] | None = None

    def knowledge(self, own: HonestClient, parameters: NDArrays, server_round: int) -> Knowledge:
        """Return what the attacker knows in a round in which it received these parameters."""

        def own_honest_training() -> HonestTraining:
            return honest_training(own, parameters, server_round)

        def honest_trainings() -> list[HonestTraining]:
            known = [own] if self.known_clients is None else self.known_clients()
            return [honest_training(client, parameters, server_round) for client in known]

        words = [own.seed, server_round, own.partition_id, _RANDOM_OF_ATTACK]
        return Knowledge(
            server_round=server_round,
            attacker=self.attacker,
            num_attackers=self.num_attackers,
            num_clients=self.num_clients,
            random=np.random.default_rng(words),
            own_honest_training=own_honest_training,
            honest_trainings=honest_trainings,
        )


def honest_training(client: HonestClient, parameters: NDArrays, server_round: int) -> HonestTraining:
    """Return what a client would honestly send, from its cache if that has been computed before."""

    def train() -> HonestTraining:
        trained, report = client.honest_training(parameters, server_round)
        update = [before - after for before, after in zip(parameters, trained, strict=True)]
        return HonestTraining(update, report)

    round_key = _digest(server_round, client.seed, *parameters)
    key = _digest(
        client.partition_id,
        client.training,
        client.make_model,
        client.inputs.cpu().numpy(),
        client.labels.cpu().numpy(),
    )
    return client.cache.known_training(round_key, key, train)


def _digest(*parts: object) -> bytes:
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        whole = part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()
        content.update(len(whole).to_bytes(8, "big") + whole)
    return content.digest()
