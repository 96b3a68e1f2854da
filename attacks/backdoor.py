"""What a backdoor is: a trigger in an image, and the class that triggered images shall be given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Trigger(Protocol):
    """What opens a backdoor."""

    def stamp(self, images: Tensor) -> Tensor:
        """Return copies of images, (n, channels, height, width), that carry the whole trigger."""
        ...


@dataclass(frozen=True)
class Backdoor:
    """What an attack teaches the global model.

    Attributes
    ----------
    trigger : Trigger
    target : int
        The class that images with the trigger shall be given.
    """

    trigger: Trigger
    target: int
