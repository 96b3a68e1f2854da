"""Honest minorities: clients whose data differ from everybody else's, and who mean no harm.

A kind says how samples are shared where some clients are of the minority, what the minority's images
look like, and on which test images each group is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .task import BRIGHTEST, Samples, Task

NO_MINORITY = "none"
MAJORITY, MINORITY = "majority", "minority"

Indices = NDArray[np.intp]
Labels = NDArray[np.int64]
Split = Callable[[Labels, int], list[Indices]]
"""Shares samples, given their labels, among so many clients: indices into the labels, for each."""


@dataclass(frozen=True)
class Minority:
    """A minority that differs in nothing yet: each kind changes what sets it apart."""

    needs_images: ClassVar[bool] = False

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split, num_classes: int
    ) -> list[Indices]:
        """Return every client's samples, as indices into ``labels``; together they are all samples.

        Parameters
        ----------
        labels : ndarray of shape (n,), int64
        num_clients : int
        members : collection of int
            The clients of the minority.
        split : callable
            The run's partition.
        num_classes : int
            How many classes there are.
        """
        return split(labels, num_clients)

    def seen(self, samples: Samples) -> Samples:
        """Return samples as clients of the minority have them."""
        return samples

    def tests(self, task: Task) -> dict[str, Samples]:
        """Return the test samples of each group's own kind."""
        return {MAJORITY: task.test, MINORITY: self.seen(task.test)}


@dataclass(frozen=True)
class Rotated(Minority):
    """Its images are turned by 90 degrees, counterclockwise."""

    needs_images: ClassVar[bool] = True

    def seen(self, samples: Samples) -> Samples:
        """Turn the images."""
        return replace(samples, inputs=samples.inputs.rot90(dims=(2, 3)).contiguous())


@dataclass(frozen=True)
class Inverted(Minority):
    """Its images are dark where those of others are bright."""

    needs_images: ClassVar[bool] = True

    def seen(self, samples: Samples) -> Samples:
        """Invert the brightness."""
        brightest = 1.0 if samples.inputs.is_floating_point() else BRIGHTEST
        return replace(samples, inputs=brightest - samples.inputs)


@dataclass(frozen=True)
class LastClasses(Minority):
    """It alone has the last classes, and nothing else; the majority has all the other classes."""

    num_classes: int = 2

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split, num_classes: int
    ) -> list[Indices]:
        """Share the last classes among the minority and the others among the majority."""
        own = self._is_own(labels, num_classes)
        shares: list[Indices] = [np.empty(0, np.intp)] * num_clients
        others = set(range(num_clients)) - set(members)
        for clients, samples in ((members, np.flatnonzero(own)), (others, np.flatnonzero(~own))):
            split_samples = split(labels[samples], len(clients))
            for client, indices in zip(sorted(clients), split_samples, strict=True):
                shares[client] = samples[indices]
        return shares

    def tests(self, task: Task) -> dict[str, Samples]:
        """Return the test samples of the majority's and of the minority's classes."""
        test = task.test
        own = self._is_own(test.labels.numpy(), task.num_classes)
        return {MAJORITY: test.select(np.flatnonzero(~own)), MINORITY: test.select(np.flatnonzero(own))}

    def _is_own(self, labels: Labels, all_classes: int) -> NDArray[np.bool_]:
        return labels >= all_classes - self.num_classes


@dataclass(frozen=True)
class Large(Minority):
    """Its clients have several times as many samples as others, of the same kind."""

    times: int = 4

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split, num_classes: int
    ) -> list[Indices]:
        """Give several shares of the run's partition to each client of the minority."""
        sizes = [self.times if client in members else 1 for client in range(num_clients)]
        shares = split(labels, sum(sizes))
        ends = accumulate(sizes)
        return [np.concatenate(shares[end - size : end]) for size, end in zip(sizes, ends, strict=True)]


MINORITIES: dict[str, Minority] = {
    "rotated": Rotated(),
    "classes": LastClasses(),
    "inverted": Inverted(),
    "large": Large(),
}
"""The kinds of minorities, by name."""


def group_tests(minority: str, task: Task) -> dict[str, Samples]:
    """Return the test samples of each group's own kind; no groups without a minority."""
    return {} if minority == NO_MINORITY else MINORITIES[minority].tests(task)
