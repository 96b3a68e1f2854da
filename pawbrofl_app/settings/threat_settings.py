"""Settings of the threat: how many clients are malicious, and what they do."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from attacks import NO_ATTACK, Attack, Backdoor, BarTrigger, make_attack

from ..tasks.task import Task, usual_target
from .setting import SECTION, Flag, InvalidSetting, Number, Text, WholeNumber, invalid


@dataclass(frozen=True, config=SECTION)
class ThreatSettings:
    """How many clients are malicious, and what they do."""

    attack: Text = "dba"
    """What malicious clients do: "dba" (distributed backdoor), "none", or any of docs/attacks.md, with
    parameters in brackets, joined by +: "sign-flip(scale=2)+inflated-report"; or your own,
    "my_module:MyAttack(strength=2)": docs/your_own.md."""
    malicious_fraction: Number = Field(default=0.2, ge=0, lt=0.5)
    """Share of the clients that are malicious, below 0.5."""
    omniscient_attackers: Flag = False
    """Do attackers know all honest clients' updates, rather than what they would honestly send
    themselves? Costly: each recomputes everybody's training."""
    attack_scale: Number = Field(default=5.0, gt=0)
    """A malicious client's update is multiplied with it."""
    poison_fraction: Number = Field(default=0.3125, gt=0, le=1)
    """Share of a malicious client's batch that carries its trigger pattern: 20 of 64."""
    target_label: WholeNumber = Field(default=-1, ge=-1)
    """The class that the backdoor leads to; -1: 2, or the last one where there are fewer."""
    trigger_size: WholeNumber = Field(default=4, ge=1)
    """The length of the bars of an image's trigger."""
    trigger_gap: WholeNumber = Field(default=2, ge=0)
    """The pixels between the bars."""
    trigger_shift: WholeNumber = Field(default=0, ge=0)
    """The bars' pixels from the corner."""
    attack_first_round: WholeNumber = Field(default=1, ge=1)
    """The first round of the attack."""
    attack_last_round: WholeNumber = Field(default=0, ge=0)
    """The last round of the attack; 0: to the end."""

    def backdoor_in(self, task: Task) -> Backdoor:
        """Return the backdoor that the settings describe, as it is in a task."""
        return Backdoor(task.trigger or self._bars, self._target_among(task.num_classes))

    def attack_of(self, attacker: int, task: Task) -> Attack:
        """Return the attack of a malicious client on a task, by its place among them.

        Raises
        ------
        ValueError
            For an attack, or parameters of it, that do not exist.
        """
        backdoor = self.backdoor_in(task)
        own = {
            "attacker": attacker,
            "target": backdoor.target,
            "trigger": backdoor.trigger,
            "num_classes": task.num_classes,
        }
        return make_attack(self.attack, self._for_all | own)

    @property
    def _bars(self) -> BarTrigger:
        return BarTrigger(self.trigger_size, self.trigger_gap, self.trigger_shift)

    def _target_among(self, num_classes: int) -> int:
        return usual_target(num_classes) if self.target_label < 0 else self.target_label

    @property
    def _for_all(self) -> dict[str, Any]:
        return {
            "poison_fraction": self.poison_fraction,
            "scale": self.attack_scale,
            "first_round": self.attack_first_round,
            "last_round": self.attack_last_round or None,
        }

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.attack_last_round and self.attack_last_round < self.attack_first_round:
            allowed = "0 (no end) or at least attack-first-round"
            raise invalid("attack-last-round", allowed, self.attack_last_round)
        if self.attack == NO_ATTACK:
            return self
        try:
            make_attack(self.attack, self._for_all | {"attacker": 0})
        except ValueError as problem:
            raise InvalidSetting(str(problem)) from None
        return self

    def check_on(self, task: Task) -> None:
        """Try backdoor and attack on a few samples of a task.

        Raises
        ------
        InvalidSetting
            Where they do not fit its inputs and classes.
        """
        if self.target_label >= task.num_classes:
            raise invalid(
                "target-label", f"below {task.num_classes}, the number of classes", self.target_label
            )
        if self.attack == NO_ATTACK:
            return
        import torch

        few = np.arange(min(4, len(task.train)))
        inputs, labels = task.train.select(few).as_inputs(torch.device("cpu"))
        try:
            attack = self.attack_of(0, task)
            if attack.backdoor is not None:
                attack.backdoor.trigger.stamp(inputs)
                attack.backdoor.cases(task.test.inputs, task.test.labels)
            poisoned, relabelled = attack.poison_batch(inputs, labels)
        except Exception as problem:
            raise InvalidSetting(f"attack {self.attack!r} does not fit the data: {problem}") from problem
        targets = [*relabelled.tolist(), *([] if attack.backdoor is None else [attack.backdoor.target])]
        if poisoned.shape != inputs.shape or not 0 <= min(targets) <= max(targets) < task.num_classes:
            raise InvalidSetting(
                f"attack {self.attack!r} must keep the shape {task.input_shape} of inputs and give "
                f"classes below {task.num_classes}, got {tuple(poisoned.shape[1:])} and class "
                f"{max(targets)}"
            )
