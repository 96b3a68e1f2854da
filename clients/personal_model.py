"""A client's personal model, in the state that Flower keeps for the client between messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flwr.app import ArrayRecord, MetricRecord, RecordDict
from torch import Tensor, nn

from .ditto import Ditto
from .training_cache import NDArrays
from .training_steps import Pull

_MODEL, _TRAINED_IN = "personal-model", "personal-model-trained-in"


@dataclass(eq=False)
class PersonalModel:
    """The personal model of one client.

    Parameters
    ----------
    ditto : Ditto
    state : RecordDict
        That of the client's `flwr.app.Context`.
    own_test : callable, optional
        Returns test inputs and labels of the client's own kind, if there are such.
    """

    ditto: Ditto
    state: RecordDict
    own_test: Callable[[], tuple[Tensor, Tensor]] | None = None

    @property
    def arrays(self) -> NDArrays:
        """The model; no arrays where the client has not trained yet."""
        record = self.state.array_records.get(_MODEL)
        return [] if record is None else record.to_numpy_ndarrays()

    def keep(self, arrays: NDArrays, server_round: int = 0) -> None:
        """Take arrays for the model, which was trained in a round."""
        self.state[_MODEL] = ArrayRecord(numpy_ndarrays=arrays)
        self.state[_TRAINED_IN] = MetricRecord({"round": server_round})

    def is_trained_in(self, server_round: int) -> bool:
        """Return whether the model was trained in a round last: to repeat that would change it."""
        record = self.state.metric_records.get(_TRAINED_IN)
        return record is not None and record["round"] == server_round

    def pull(self, received: nn.Module) -> Pull:
        """Return what draws the model towards the received one."""
        towards = [each.detach() for each in received.parameters() if each.requires_grad]
        return Pull(self.ditto.strength, towards)
