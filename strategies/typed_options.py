"""The options of both strategies with their types, so that editors complete and mypy checks them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TypedDict

from .branches import Branching
from .diagnostics import OnRound
from .epsilon import Epsilon
from .mu_schedule import EffectiveClients, MuSchedule
from .root_data import RootLoss
from .server_optimizers import ServerOptimizer
from .tilt import Tilt
from .vouching import Vouching
from .weightings import Weighting


class RobustOptions(TypedDict, total=False):
    """The options of `RobustRounds`."""

    epsilon: Epsilon
    weighting: Weighting | str | None
    performance: Tilt | None
    mu: float | MuSchedule | EffectiveClients | None
    max_tilt: float | None
    preferences: Mapping[str, float] | Sequence[float] | None
    server_learning_rate: float
    server_optimizer: ServerOptimizer | None
    learning_threshold: int
    block_size: int | None
    not_in_gramian: Sequence[int | str]
    branches: int | Branching | None
    vouched: Collection[str | int] | Vouching
    root_loss: RootLoss | None
    loss_gap_key: str
    loss_key: str
    client_id_key: str
    on_round: OnRound | None
