"""What a backdoor is: a trigger in an input, and the class that inputs with it shall be given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Trigger(Protocol):
    """What opens a backdoor."""

    def stamp(self, inputs: Tensor) -> Tensor:
        """Return copies of inputs, (n, ...), that carry the whole trigger.

        Raises
        ------
        ValueError
            For inputs of a shape that it does not fit.
        """
        ...


class SplitTrigger(Trigger, Protocol):
    """A trigger made of local patterns, which attackers share among them."""

    @property
    def num_patterns(self) -> int:
        """How many local patterns it has."""
        ...

    def stamp(self, inputs: Tensor, patterns: Sequence[int] | None = None) -> Tensor:
        """Return copies of inputs, (n, ...), that carry some of the patterns, by default all."""
        ...


def whole_share(share: float, number: int) -> int:
    """Return how many of a number a share of them is, in whole ones and at least one."""
    return max(1, round(share * number))


def poison_first(
    inputs: Tensor, labels: Tensor, share: float, stamp: Callable[[Tensor], Tensor], target: int
) -> tuple[Tensor, Tensor]:
    """Return copies of a batch whose first inputs are stamped and relabelled: a share, at least one."""
    count = whole_share(share, len(labels))
    poisoned, relabelled = inputs.clone(), labels.clone()
    poisoned[:count] = stamp(inputs[:count])
    relabelled[:count] = target
    return poisoned, relabelled


@dataclass(frozen=True)
class Backdoor:
    """What an attack teaches the global model.

    Attributes
    ----------
    trigger : Trigger
    target : int
        The class that inputs with the trigger shall be given.
    """

    trigger: Trigger
    target: int

    def cases(self, inputs: Any, labels: Any) -> Any:
        """Return as a mask of shape (n,) on which test samples success is measured, once stamped.

        Those of other classes: a model without any backdoor gives the target to its own.

        Parameters
        ----------
        inputs : Tensor or ndarray of shape (n, ...)
            As they are, without the trigger.
        labels : Tensor or ndarray of shape (n,)
        """
        return labels != self.target
