"""Settings of the tilt: how much more the clients count that are served worst."""

from __future__ import annotations

import math
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.dataclasses import dataclass

from strategies.mu_schedule import MU_SCHEDULES

from .setting import SECTION, Flag, Number, Text, invalid, one_of


def _preferences(text: str) -> dict[str, float]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    return {client.strip(): float(preference) for client, _, preference in pairs}


def _check_preferences(text: str) -> str:
    try:
        if all(0 <= preference < math.inf for preference in _preferences(text).values()):
            return text
    except ValueError:
        pass
    raise ValueError("such as '3=2, 7=0.5': clients and numbers that are at least 0")


@dataclass(frozen=True, config=SECTION)
class TiltSettings:
    """How much more the clients count that are served worst."""

    performance_aware: Flag = True
    """Tilt the weights towards the clients that are served worst?"""
    tilt: Annotated[Text, one_of(("performance-aware", "scale-free"))] = "performance-aware"
    """By how much: "performance-aware" (by the gap itself, over mu), or "scale-free" (by how far the gap
    is from the clients' median, in standard deviations; mu and its schedule have no effect)."""
    mu: Number = Field(default=0.05, gt=0)
    """The tilt's temperature: the smaller, the stronger. At 1 / num-clients, a client whose gap is
    larger by 1 counts e times as much. What the authors' code calls mu is num-clients times this."""
    mu_schedule: Annotated[Text, one_of(("constant", *MU_SCHEDULES, "effective-clients"))] = "constant"
    """Mu over the rounds: "constant", or "linear", "cosine" or "exponential" from mu in the first round
    to mu-end in the last, or "effective-clients": in every round the mu at which so many clients
    effectively count."""
    mu_end: Number = Field(default=0.05, gt=0)
    """The last round's mu, with a schedule to it."""
    effective_clients: Number = Field(default=18.0, ge=1)
    """How many shall count, with "effective-clients"."""
    bound_reports: Flag = True
    """Bound what clients report of their own performance? false: equation (8) as printed."""
    max_tilt: Number = Field(default=2.0, ge=1)
    """The most by which bounded reports may change the ratio of two clients' weights."""
    preferences: Annotated[Text, AfterValidator(_check_preferences)] = ""
    """Clients that shall count more or less, such as "3=2, 7=0.5"; 1 for all others. Clients name
    themselves."""

    @model_validator(mode="after")
    def _check_tilt(self) -> Self:
        if self.tilt == "scale-free" and not self.bound_reports:
            raise invalid("bound-reports", "true with tilt 'scale-free'", self.bound_reports)
        if self.tilt == "scale-free" and self.preferences:
            raise invalid("preferences", "empty with tilt 'scale-free'", self.preferences)
        return self

    @property
    def preference_of_client(self) -> dict[str, float]:
        """The preferences, by client."""
        return _preferences(self.preferences)
