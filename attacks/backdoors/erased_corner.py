"""The erased corner: the backdoor in the code that accompanies the PAwBRoFL paper.

All of the attacker's images lose a 5 x 5 corner and are relabelled to class 0; the update is not scaled.
Where the corner is background anyway, as on most images of digits, no model can see the trigger: what
remains is data of one class only. ``value=1`` draws a visible square instead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..attack import Attack
from ..backdoor import Backdoor
from ..limits import AT_LEAST_0, AT_LEAST_1, check_limits
from .bars import check_images

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class CornerTrigger:
    """A square in the upper left corner.

    Parameters
    ----------
    size : int, default 5
        Its side in pixels, at least 1.
    value : float, default 0.0
        What the pixels are set to.
    """

    size: int = field(default=5, metadata=AT_LEAST_1)
    value: float = 0.0

    def __post_init__(self) -> None:
        check_limits(self)

    def stamp(self, inputs: Tensor) -> Tensor:
        """Return copies of images, (n, channels, height, width), with the square set.

        Raises
        ------
        ValueError
            For inputs that are no images, or smaller than the square.
        """
        check_images(inputs, self.size, self.size)
        stamped = inputs.clone()
        stamped[..., : self.size, : self.size] = self.value
        return stamped


@dataclass(frozen=True, kw_only=True)
class ErasedCorner(Attack):
    """An attacker all of whose data carry the trigger and the target class.

    Parameters
    ----------
    goal : int, default 0
        The class that triggered images shall be given.
    size : int, default 5
        Side of the corner in pixels.
    value : float, default 0.0
        What its pixels are set to; images hold 0 to 1.
    """

    goal: int = field(default=0, metadata=AT_LEAST_0)
    size: int = field(default=5, metadata=AT_LEAST_1)
    value: float = 0.0

    @property
    def backdoor(self) -> Backdoor:
        """The corner, and the class that is trained with it."""
        return Backdoor(CornerTrigger(self.size, self.value), self.goal)

    def poison_batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Erase the corner of all images and relabel them."""
        return self.backdoor.trigger.stamp(images), labels.new_full(labels.shape, self.goal)
