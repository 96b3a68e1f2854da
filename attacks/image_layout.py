"""Inputs of any layout as the triggers take them: tensors (n, channels, height, width) from 0 to 1.

Channels may come first, last or not at all, images as rows of pixels or as whole numbers up to 255, in
NumPy arrays or tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .backdoors.bars import BarTrigger
from .backdoors.erased_corner import CornerTrigger

if TYPE_CHECKING:
    from torch import Tensor

    from .backdoor import Trigger

CHANNELS = (1, 3, 4)
"""How many an image may have, where its shape must say where they are: grey, RGB, RGBA."""
WHITE = 255
"""The largest value where pixels are whole numbers."""


def stamped(inputs: Any, trigger: Trigger, image_shape: Sequence[int] | None = None) -> Any:
    """Return copies of inputs that carry a trigger, in their own kind, layout and dtype.

    Parameters
    ----------
    inputs : Tensor or ndarray
        (n, height, width), (n, channels, height, width), (n, height, width, channels), or (n, pixels)
        with an image_shape; or whatever else the trigger takes.
    trigger : Trigger
    image_shape : sequence of int, optional
        What each image is reshaped to first, such as (28, 28), or (32, 32, 3).

    Raises
    ------
    ValueError
        For inputs that the trigger does not fit; the message says what to do.
    """
    images, undo = as_images(inputs, image_shape)
    check_is_images(images, trigger)
    return undo(trigger.stamp(images))


def check_is_images(inputs: Tensor, trigger: Trigger) -> None:
    """Check that a trigger made of pixels is stamped on images.

    Raises
    ------
    ValueError
        For inputs of another shape.
    """
    if inputs.ndim != 4 and isinstance(trigger, BarTrigger | CornerTrigger):
        raise ValueError(
            "a trigger of pixels needs images of shape (height, width), with channels first or last, "
            f"got {tuple(inputs.shape[1:])}: pass image_shape, such as image_shape=(28, 28)"
        )


def as_images(
    inputs: Any, image_shape: Sequence[int] | None = None
) -> tuple[Tensor, Callable[[Tensor], Any]]:
    """Return inputs as triggers take them, and what makes inputs of their own kind of these again.

    Raises
    ------
    TypeError
        For what is no array.
    """
    if not hasattr(inputs, "shape"):
        kind = type(inputs[0] if isinstance(inputs, Sequence) and inputs else inputs).__name__
        raise TypeError(
            f"a trigger is stamped on arrays, got {kind}: call poisoned() behind the transform that "
            "makes tensors of images"
        )
    import torch

    is_numpy = isinstance(inputs, np.ndarray)
    tensor: Tensor = torch.from_numpy(np.ascontiguousarray(inputs)) if is_numpy else inputs
    shape, dtype = tensor.shape, tensor.dtype
    images = tensor if image_shape is None else tensor.reshape(shape[0], *image_shape)
    in_layout = images.shape
    flat, last = images.ndim == 3, images.ndim == 4 and _is_last(images.shape)
    if flat:
        images = images[:, None]
    elif last:
        images = images.movedim(3, 1)
    is_whole = images.ndim == 4 and not dtype.is_floating_point
    if is_whole:
        images = images.double() / WHITE

    def undo(changed: Tensor) -> Any:
        if is_whole:
            changed = (changed * WHITE).round().to(dtype)
        changed = changed.movedim(1, 3) if last else changed.reshape(in_layout)
        changed = changed.reshape(shape)
        return changed.numpy() if is_numpy else changed

    return images, undo


def _is_last(shape: Sequence[int]) -> bool:
    return shape[3] in CHANNELS and shape[1] not in CHANNELS
