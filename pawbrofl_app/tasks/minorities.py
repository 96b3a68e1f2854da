"""Honest minorities: clients whose data differ from everybody else's, and who mean no harm.

A kind says how samples are shared where some clients are of the minority, what the minority's images
look like, and on which test images each group is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from .labelled_images import NUM_CLASSES, LabelledImages

NO_MINORITY = "none"
MAJORITY, MINORITY = "majority", "minority"

Indices = NDArray[np.intp]
Labels = NDArray[np.int64]
Split = Callable[[Labels, int], list[Indices]]
"""Shares samples, given their labels, among so many clients: indices into the labels, for each."""


@dataclass(frozen=True)
class Minority:
    """A minority that differs in nothing yet: each kind changes what sets it apart."""

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split
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
        """
        return split(labels, num_clients)

    def seen(self, samples: LabelledImages) -> LabelledImages:
        """Return images as clients of the minority have them."""
        return samples

    def tests(self, test: LabelledImages) -> dict[str, LabelledImages]:
        """Return the test images of each group's own kind."""
        return {MAJORITY: test, MINORITY: self.seen(test)}


@dataclass(frozen=True)
class Rotated(Minority):
    """Its images are turned by 90 degrees, counterclockwise."""

    def seen(self, samples: LabelledImages) -> LabelledImages:
        """Turn the images."""
        return replace(samples, images=samples.images.rot90(dims=(2, 3)).contiguous())


@dataclass(frozen=True)
class Inverted(Minority):
    """Its images are dark where those of others are bright."""

    def seen(self, samples: LabelledImages) -> LabelledImages:
        """Invert the brightness."""
        return replace(samples, images=255 - samples.images)


@dataclass(frozen=True)
class LastClasses(Minority):
    """It alone has the last classes, and nothing else; the majority has all the other classes."""

    num_classes: int = 2

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split
    ) -> list[Indices]:
        """Share the last classes among the minority and the others among the majority."""
        own = self._is_own(labels)
        shares: list[Indices] = [np.empty(0, np.intp)] * num_clients
        others = set(range(num_clients)) - set(members)
        for clients, samples in ((members, np.flatnonzero(own)), (others, np.flatnonzero(~own))):
            split_samples = split(labels[samples], len(clients))
            for client, indices in zip(sorted(clients), split_samples, strict=True):
                shares[client] = samples[indices]
        return shares

    def tests(self, test: LabelledImages) -> dict[str, LabelledImages]:
        """Return the test images of the majority's and of the minority's classes."""
        own = self._is_own(test.labels.numpy())
        return {MAJORITY: test.select(np.flatnonzero(~own)), MINORITY: test.select(np.flatnonzero(own))}

    def _is_own(self, labels: Labels) -> NDArray[np.bool_]:
        return labels >= NUM_CLASSES - self.num_classes


@dataclass(frozen=True)
class Large(Minority):
    """Its clients have several times as many samples as others, of the same kind."""

    times: int = 4

    def share(
        self, labels: Labels, num_clients: int, members: Collection[int], split: Split
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


def group_tests(minority: str, test: LabelledImages) -> dict[str, LabelledImages]:
    """Return the test images of each group's own kind; no groups without a minority."""
    return {} if minority == NO_MINORITY else MINORITIES[minority].tests(test)
