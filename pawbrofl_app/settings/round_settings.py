"""Settings of the rounds: how long they wait for clients, and how many replies make one."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from .setting import SECTION, Number, WholeNumber


@dataclass(frozen=True, config=SECTION)
class RoundSettings:
    """How long rounds wait for clients, and how many replies make one."""

    round_timeout: Number = Field(default=0.0, ge=0)
    """Seconds after which a round goes on without the clients that have not answered; 0: Flower's 12
    hours."""
    start_timeout: Number = Field(default=0.0, ge=0)
    """Seconds that a run waits for all clients before it starts with min-fit-clients; 0: no limit."""
    min_fit_clients: WholeNumber = Field(default=0, ge=0)
    """Fewer replies do not make a round: it is repeated, or the run ends after round-attempts. 0: so
    many that a fraction epsilon of those asked is less than half of those that answered."""
    round_attempts: WholeNumber = Field(default=3, ge=1)
    """How often a round is tried before the run ends."""
