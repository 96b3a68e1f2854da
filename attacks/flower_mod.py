"""Any attack at the clients of anybody's Flower project, as a mod: one line, in both of Flower's APIs.

::

    app = ClientApp(mods=[malicious("sign-flip(scale=2)", fraction=0.2, seed=1)])

The project's own code trains as ever; the mod changes what comes out of it. The server is told nothing
and decides nothing: a client's own node config and the seed say whether it is malicious.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from logging import INFO, WARNING
from pathlib import Path
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message
from flwr.common.logger import log

from .active_attack import ActiveAttack, attacking
from .attack import Attack
from .draw import draw_malicious
from .flower_records import ModelReply, change_report, report_of, request_round
from .knowledge import HonestTraining, Knowledge
from .parsing import attack_of_client
from .shared_folder import SharedFolder

TRAIN = "train"
COUNTED_ROUNDS = "pawbrofl.malicious"
_RANDOM_OF_ATTACK = 1
"""Last word of the seed of an attack's random numbers, as in this project's app."""

ClientAppCallable = Callable[[Message, Context], Message]


def malicious(
    attack: str | Attack,
    *,
    fraction: float | None = None,
    seed: int = 0,
    num_clients: int | None = None,
    shared_folder: Path | str | None = None,
    **parameters: Any,
) -> MaliciousMod:
    """Return a Flower mod that makes some of a project's clients malicious.

    Put it first among the mods: then it changes what is sent last, behind clipping and noise.

    Parameters
    ----------
    attack : str or Attack
        Names of `ATTACKS` joined by ``+``, with parameters in brackets where wanted, such as
        ``"sign-flip(scale=2)+inflated-report"``; or an attack of your own. What changes data changes
        only those that the client's code hands to `poisoned`.
    fraction : float, optional
        Share of the clients that are malicious, 0 to 1. Which, the seed draws from ``num-partitions``
        numbers, of which ``partition-id`` is the client's own. A client whose node config says
        ``malicious=true`` or ``malicious=false`` goes by that. By default those alone are malicious.
    seed : int, default 0
        Of that draw and of the attack's random numbers.
    num_clients : int, optional
        How many clients there are, where the node config has no ``num-partitions``.
    shared_folder : Path or str, optional
        A folder that all attackers can reach, in which they leave their honest updates for each other:
        colluding attacks then know those of the round before. By default each attacker knows its own
        update alone.
    **parameters
        Parameters of the attack that are not in brackets, such as ``trigger=BarTrigger(size=2)``.

    Returns
    -------
    MaliciousMod
        For ``ClientApp(mods=[...])``.

    Raises
    ------
    ValueError
        For an unknown attack or parameter, or a value out of its range.
    """
    if fraction is not None and not 0 <= fraction <= 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    if num_clients is not None and num_clients < 1:
        raise ValueError(f"num_clients must be at least 1, got {num_clients}")
    attack_of_client(attack, 0, parameters)  # raises now what every client would
    folder = None if shared_folder is None else Path(shared_folder)
    return MaliciousMod(attack, fraction, seed, num_clients, folder, dict(parameters))


@dataclass(frozen=True)
class Place:
    """A malicious client's number among the attackers, and how many of these and of all there are."""

    attacker: int
    num_attackers: int
    num_clients: int


@dataclass(frozen=True)
class MaliciousMod:
    """What `malicious` returns, with its arguments."""

    attack: str | Attack
    fraction: float | None
    seed: int
    num_clients: int | None
    shared_folder: Path | None
    parameters: dict[str, Any] = field(default_factory=dict)

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Have the client answer, and change its answer where it is malicious and asked to train."""
        is_training = message.metadata.message_type.partition(".")[0] == TRAIN
        place = self.place(context.node_config) if is_training else None
        server_round = 0 if place is None else _round_of(message, context)
        attack = None if place is None else self._attack_of(place).in_round(server_round)
        if place is None or attack is None:
            with attacking(None):
                return call_next(message, context)
        log(INFO, "malicious client %s of %s: %s", place.attacker + 1, place.num_attackers, attack)
        return _Attacker(self, attack, place, server_round).answer(message, context, call_next)

    def place(self, node_config: Mapping[str, Any]) -> Place | None:
        """Return a client's place among the malicious ones; None for an honest client.

        Raises
        ------
        ValueError
            Where its node config does not say enough to tell.
        """
        says = node_config.get("malicious")
        if says is not None and not isinstance(says, bool):
            raise ValueError(f"malicious in the node config must be true or false, got {says!r}")
        if says is False or (says is None and self.fraction is None):
            return None
        number: Any = node_config.get("partition-id", 0 if says else None)
        count: Any = node_config.get("num-partitions", self.num_clients)
        if number is None or count is None or not 0 <= number < count:
            raise ValueError(
                "who is malicious follows from the node config: it must have partition-id, from 0 and "
                "below num-partitions (or num_clients of the mod), got partition-id "
                f"{number!r} of {count!r}"
            )
        drawn = draw_malicious(self.seed, count, round((self.fraction or 0.0) * count))
        if says is None and number not in drawn:
            return None
        attackers = sorted({*drawn, number})
        return Place(attackers.index(number), len(attackers), count)

    def _attack_of(self, place: Place) -> Attack:
        return attack_of_client(self.attack, place.attacker, self.parameters)


@dataclass(frozen=True)
class _Attacker:
    """One malicious client in one round."""

    mod: MaliciousMod
    attack: Attack
    place: Place
    server_round: int

    def answer(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Return what the attack makes of the client's answer."""
        request, state = copy.deepcopy(message), copy.deepcopy(context)
        active = ActiveAttack(self.attack, (self.mod.seed, self.place.attacker))
        with attacking(active):
            reply = call_next(message, context)
        if reply.has_error():
            return reply
        if self.attack.poisons_data and not active.has_poisoned:
            raise ValueError(
                f"attack {self.mod.attack!r} changes data, but the client hands none to it: wrap its "
                "training data, train_set = poisoned(train_set), from the package of this mod"
            )
        model, report = ModelReply.of(request.content, reply.content), report_of(reply.content)

        @cache
        def own_honest_training() -> HonestTraining:
            if not self.attack.poisons_data:
                return HonestTraining(model.update, report)
            with attacking(None):  # train once more, with the data as they are
                honest = call_next(copy.deepcopy(request), state)
            honest_model = ModelReply.of(request.content, honest.content)
            return HonestTraining(honest_model.update, report_of(honest.content))

        knowledge = self._knowledge(own_honest_training, request.metadata.run_id)
        update = model.update
        poisoned_update = self.attack.poison_update(update, knowledge)
        if poisoned_update is not update:
            model.send(poisoned_update)
        change_report(reply.content, report, self.attack.falsify_report(report, knowledge))
        return reply

    def _knowledge(self, own: Callable[[], HonestTraining], run_id: int) -> Knowledge:
        def honest_trainings() -> list[HonestTraining]:
            if self.mod.shared_folder is None:
                _warn_of_knowing_oneself(str(self.mod.attack))
                return [own()]
            shared = SharedFolder(self.mod.shared_folder, run_id)
            shared.leave(self.server_round, self.place.attacker, own())
            return shared.left_before(self.server_round) or [own()]

        return Knowledge(
            server_round=self.server_round,
            attacker=self.place.attacker,
            num_attackers=self.place.num_attackers,
            num_clients=self.place.num_clients,
            random=np.random.default_rng(
                [self.mod.seed, self.server_round, self.place.attacker, _RANDOM_OF_ATTACK]
            ),
            own_honest_training=own,
            honest_trainings=cache(honest_trainings),
        )


@cache
def _warn_of_knowing_oneself(attack: str) -> None:
    log(
        WARNING,
        "attack %s works with the updates that attackers know: here each knows its own alone. With "
        "shared_folder=... the mod lets them tell each other",
        attack,
    )


def _round_of(message: Message, context: Context) -> int:
    """Return the round that a message is of; one more than the last where it does not say."""
    told = request_round(message.metadata.group_id, message.content.config_records)
    if told is not None:
        return told
    counted = context.state.config_records.get(COUNTED_ROUNDS) or ConfigRecord({"rounds": 0})
    server_round = int(str(counted["rounds"])) + 1
    context.state[COUNTED_ROUNDS] = ConfigRecord({"rounds": server_round})
    return server_round
