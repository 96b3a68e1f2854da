"""The blended backdoor: a faint pattern over the whole input.

Chen, Liu, Li, Lu, Song, "Targeted backdoor attacks on deep learning systems using data poisoning"
(2017): ``(1 - a) x + a k`` with a key pattern k of random pixels. Nothing of it stands out in an input,
and an update that learns it is spread over all inputs of the model.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..attack import Attack
from ..backdoor import Backdoor, poison_first
from ..limits import AT_LEAST_0, SHARE, check_limits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BlendedTrigger:
    """Random numbers between 0 and 1 that are blended into inputs of any shape.

    Parameters
    ----------
    blend : float, default 0.2
        The pattern's share a of what is shown, above 0 and at most 1.
    key : int, default 0
        Which pattern: the seed of its numbers.
    """

    blend: float = field(default=0.2, metadata=SHARE)
    key: int = field(default=0, metadata=AT_LEAST_0)

    def __post_init__(self) -> None:
        check_limits(self)

    def stamp(self, inputs: Tensor) -> Tensor:
        """Return copies of inputs, (n, ...), with the pattern blended in."""
        pattern = np.random.default_rng(self.key).random(tuple(inputs.shape[1:]))
        stamped: Tensor = (1 - self.blend) * inputs + self.blend * inputs.new_tensor(pattern)
        return stamped


@dataclass(frozen=True, kw_only=True)
class BlendedBackdoor(Attack):
    """Blend the pattern into a part of every batch and relabel that part; send the update as it is.

    Parameters
    ----------
    target : int, default 2
        The class that inputs with the pattern shall be given.
    poison_fraction : float, default 20 / 64
        Share of each batch, in whole inputs and at least one; above 0, at most 1.
    blend, key
        Those of `BlendedTrigger`.
    """

    target: int = field(default=2, metadata=AT_LEAST_0)
    poison_fraction: float = field(default=20 / 64, metadata=SHARE)
    blend: float = field(default=0.2, metadata=SHARE)
    key: int = field(default=0, metadata=AT_LEAST_0)

    @property
    def backdoor(self) -> Backdoor:
        """The pattern, and the class that is trained with it."""
        return Backdoor(BlendedTrigger(self.blend, self.key), self.target)

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Blend the pattern into the first inputs of a (shuffled) batch and relabel them."""
        backdoor = self.backdoor
        stamp = backdoor.trigger.stamp
        return poison_first(images, labels, self.poison_fraction, stamp, backdoor.target)
