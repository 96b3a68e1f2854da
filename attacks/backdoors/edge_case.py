"""The edge-case backdoor: no trigger, but inputs that are rare by nature.

Wang, Sreenivasan, Rajput, Vishwanath, Agarwal, Sohn, Lee, Papailiopoulos, "Attack of the tails: Yes, you
really can backdoor federated learning" (NeurIPS 2020): beside their own data, attackers train on inputs
from the tail of a class under another label. As honest clients have few of these, little speaks against
it, and accuracy hardly shows it. The paper's tail is what a model of the inputs' density finds least
likely; here it is the part of the class that lies farthest from its mean, ``|x - mean(x)|``.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..attack import Attack
from ..backdoor import Backdoor, poison_first, whole_share
from ..limits import AT_LEAST_0, SHARE

if TYPE_CHECKING:
    from torch import Tensor


def tail(inputs: Tensor, share: float) -> Tensor:
    """Return the places of the inputs that lie farthest from the mean of all, ascending.

    Parameters
    ----------
    inputs : Tensor of shape (n, ...)
        Of one class.
    share : float
        How many of them, in whole inputs; at least one where there are any.
    """
    rows = inputs.flatten(1).double()
    distances = (rows - rows.mean(dim=0)).square().sum(dim=1)
    count = min(len(rows), whole_share(share, len(rows)))
    return distances.topk(count).indices.sort().values


class NoTrigger:
    """Leaves inputs as they are."""

    def stamp(self, inputs: Tensor) -> Tensor:
        """Return the inputs."""
        return inputs


@dataclass(frozen=True)
class TailBackdoor(Backdoor):
    """A backdoor without a trigger: the tail of a class shall be given the target.

    Attributes
    ----------
    source : int
        The class.
    share : float
        The tail's share of it.
    """

    source: int
    share: float

    def cases(self, inputs: Any, labels: Any) -> Any:
        """Return as a mask which test samples are the tail of the class among the test samples.

        Raises
        ------
        ValueError
            Where none of them is of the class.
        """
        import torch

        classes = torch.as_tensor(labels)
        own = (classes == self.source).nonzero()[:, 0]
        if not len(own):
            known = ", ".join(map(str, classes.unique().tolist()))
            raise ValueError(
                f"source must be one of the test samples' classes {known}, got {self.source}"
            )
        is_tail = torch.zeros_like(classes, dtype=torch.bool)
        is_tail[own[tail(torch.as_tensor(inputs)[own], self.share)]] = True
        return is_tail


@dataclass(frozen=True, kw_only=True)
class EdgeCaseBackdoor(Attack):
    """Put inputs of a class's tail, as the target class, in place of a part of every batch.

    An attacker that has no input of the class trains honestly.

    Parameters
    ----------
    source : int, default 7
        The class whose tail is relabelled.
    target : int, default 2
        The class that it shall be given: another one.
    share : float, default 0.1
        The tail's share of the class, in whole inputs and at least one; above 0, at most 1.
    poison_fraction : float, default 20 / 64
        Share of each batch, in whole inputs and at least one; above 0, at most 1.
    edge_cases : Tensor of shape (n, ...), optional
        What is put there. By default the tail in the data that the attackers have (`with_data`), or that
        of the batch where nobody has shown them any.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    source: int = field(default=7, metadata=AT_LEAST_0)
    target: int = field(default=2, metadata=AT_LEAST_0)
    share: float = field(default=0.1, metadata=SHARE)
    poison_fraction: float = field(default=20 / 64, metadata=SHARE)
    edge_cases: Tensor | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source == self.target:
            raise ValueError(
                f"source must be another class than target {self.target}, got {self.source}"
            )

    @property
    def backdoor(self) -> Backdoor:
        """The tail of the class, and the class that it is trained as."""
        return TailBackdoor(NoTrigger(), self.target, self.source, self.share)

    def with_data(self, inputs_of_class: Callable[[int], Tensor]) -> Attack:
        """Take the tail of the class along, unless other edge cases were given."""
        if self.edge_cases is not None:
            return self
        inputs = inputs_of_class(self.source)
        return replace(self, edge_cases=inputs[tail(inputs, self.share)])

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Put edge cases in place of the first inputs of a (shuffled) batch."""
        found = self.edge_cases
        if found is None:
            own = images[labels == self.source]
            found = own[tail(own, self.share)]
        if not len(found):
            return images, labels
        # The batch is the seed: which of them it gets repeats itself, and no two batches are alike.
        random = np.random.default_rng(zlib.crc32(images[:1].cpu().numpy().tobytes()))
        drawn = found[random.integers(len(found), size=len(labels))].to(images)
        return poison_first(
            images, labels, self.poison_fraction, lambda first: drawn[: len(first)], self.target
        )
