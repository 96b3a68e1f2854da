"""Settings of the server's step: how the aggregate changes the model."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from .setting import SECTION, Number, WholeNumber


@dataclass(frozen=True, config=SECTION)
class ServerStepSettings:
    """How the aggregate changes the model."""

    server_learning_rate: Number = Field(default=1.0, gt=0)
    """What the aggregated update is multiplied with."""
    learning_threshold: WholeNumber = Field(default=0, ge=0)
    """The robust learning rate's threshold: in coordinates where the signs of one kind do not outnumber
    the others' by so many clients, the step is turned around. 0: nowhere."""
    block_size: WholeNumber = Field(default=0, ge=0)
    """Aggregate blocks of so many coordinates on their own; 0: the whole update at once."""
