"""The trigger of the distributed backdoor in images: four bars in the upper left corner.

The global trigger of Xie, Huang, Chen, Li, "DBA: Distributed backdoor attacks against federated
learning" (ICLR 2020): four horizontal bars, one pixel high, in two rows and two columns. Each bar is a
local pattern for one group of attackers; together they are the trigger that is used on the final model.
Images may have any number of channels and any size that the bars fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..limits import AT_LEAST_0, AT_LEAST_1, check_limits

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class BarTrigger:
    """Where the four bars of the trigger lie.

    With the defaults: rows 0 and 3, columns 0 to 3 and 6 to 9.

    Parameters
    ----------
    size : int, default 4
        Length of a bar in pixels, at least 1.
    gap : int, default 2
        Pixels between the bars, in both directions, at least 0.
    shift : int, default 0
        Pixels between the image's upper left corner and the trigger, in both directions, at least 0.
    value : float, default 1.0
        What the pixels are set to.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    size: int = field(default=4, metadata=AT_LEAST_1)
    gap: int = field(default=2, metadata=AT_LEAST_0)
    shift: int = field(default=0, metadata=AT_LEAST_0)
    value: float = 1.0

    def __post_init__(self) -> None:
        check_limits(self)

    @property
    def height(self) -> int:
        """Rows from the image's top to the trigger's bottom."""
        return self.shift + self.gap + 2

    @property
    def width(self) -> int:
        """Columns from the image's left to the trigger's right."""
        return self.shift + 2 * self.size + self.gap

    @property
    def num_patterns(self) -> int:
        """How many bars there are."""
        return 4

    def bar(self, pattern: int) -> tuple[int, slice]:
        """Return row and columns of a local pattern: 0 upper left, 1 upper right, 2 and 3 below."""
        down, right = divmod(pattern % self.num_patterns, 2)
        left = self.shift + right * (self.size + self.gap)
        return self.shift + down * (self.gap + 1), slice(left, left + self.size)

    def stamp(self, inputs: Tensor, patterns: Sequence[int] | None = None) -> Tensor:
        """Return copies of images with some of the local patterns, by default all, set.

        Parameters
        ----------
        inputs : Tensor of shape (n, channels, height, width)
        patterns : sequence of int, optional

        Raises
        ------
        ValueError
            For inputs that are no images, or smaller than the trigger.
        """
        check_images(inputs, self.height, self.width)
        stamped = inputs.clone()
        for pattern in range(self.num_patterns) if patterns is None else patterns:
            row, columns = self.bar(pattern)
            stamped[..., row, columns] = self.value
        return stamped


def check_images(inputs: Tensor, height: int, width: int) -> None:
    """Check that a trigger of some pixels fits inputs.

    Raises
    ------
    ValueError
        For inputs that are no images, or smaller than the trigger.
    """
    if inputs.dim() != 4:
        raise ValueError(
            f"a trigger of {height} x {width} pixels needs images, got inputs of shape "
            f"{tuple(inputs.shape[1:])}"
        )
    if inputs.shape[-2] < height or inputs.shape[-1] < width:
        raise ValueError(
            f"a trigger of {height} x {width} pixels does not fit images of "
            f"{inputs.shape[-2]} x {inputs.shape[-1]}"
        )
