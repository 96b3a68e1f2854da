"""Settings of the threat: how many clients are malicious, and what they do."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from attacks import NO_ATTACK, Attack, BarTrigger, make_attack

from ..tasks.labelled_images import IMAGE_SIZE, NUM_CLASSES
from .setting import SECTION, Flag, InvalidSetting, Number, Text, WholeNumber, invalid


@dataclass(frozen=True, config=SECTION)
class ThreatSettings:
    """How many clients are malicious, and what they do."""

    attack: Text = "dba"
    """What malicious clients do: "dba" (distributed backdoor), "none", or any of docs/attacks.md, with
    parameters in brackets, joined by +: "sign-flip(scale=2)+inflated-report"."""
    malicious_fraction: Number = Field(default=0.2, ge=0, lt=0.5)
    """Share of the clients that are malicious, below 0.5."""
    omniscient_attackers: Flag = False
    """Do attackers know all honest clients' updates, rather than what they would honestly send
    themselves? Costly: each recomputes everybody's training."""
    attack_scale: Number = Field(default=5.0, gt=0)
    """A malicious client's update is multiplied with it."""
    poison_fraction: Number = Field(default=0.3125, gt=0, le=1)
    """Share of a malicious client's batch that carries its trigger pattern: 20 of 64."""
    target_label: WholeNumber = Field(default=2, ge=0, lt=NUM_CLASSES)
    """The class that the backdoor leads to."""
    trigger_size: WholeNumber = Field(default=4, ge=1)
    """The length of the trigger's bars."""
    trigger_gap: WholeNumber = Field(default=2, ge=0)
    """The pixels between the bars."""
    trigger_shift: WholeNumber = Field(default=0, ge=0)
    """The bars' pixels from the corner."""
    attack_first_round: WholeNumber = Field(default=1, ge=1)
    """The first round of the attack."""
    attack_last_round: WholeNumber = Field(default=0, ge=0)
    """The last round of the attack; 0: to the end."""

    @property
    def trigger(self) -> BarTrigger:
        """The backdoor's trigger."""
        return BarTrigger(self.trigger_size, self.trigger_gap, self.trigger_shift)

    def attack_of(self, attacker: int) -> Attack:
        """Return the attack of a malicious client, by its place among them.

        Raises
        ------
        ValueError
            For an attack, or parameters of it, that do not exist.
        """
        settings = {
            "attacker": attacker,
            "target": self.target_label,
            "poison_fraction": self.poison_fraction,
            "scale": self.attack_scale,
            "trigger": self.trigger,
            "first_round": self.attack_first_round,
            "last_round": self.attack_last_round or None,
        }
        return make_attack(self.attack, settings)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.attack_last_round and self.attack_last_round < self.attack_first_round:
            allowed = "0 (no end) or at least attack-first-round"
            raise invalid("attack-last-round", allowed, self.attack_last_round)
        if self.attack == NO_ATTACK:
            return self
        try:
            self.attack_of(0)
        except ValueError as problem:
            raise InvalidSetting(str(problem)) from None
        for name, extent in (("height", self.trigger.height), ("width", self.trigger.width)):
            if extent > IMAGE_SIZE:
                raise InvalidSetting(
                    f"trigger-size, trigger-gap and trigger-shift make a trigger of {name} {extent}, "
                    f"but images have {IMAGE_SIZE} pixels"
                )
        return self
