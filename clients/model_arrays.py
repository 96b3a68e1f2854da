"""A PyTorch model's state as the list of NumPy arrays that Flower sends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


def arrays_of(model: nn.Module) -> list[NDArray[Any]]:
    """Return copies of a model's parameters and buffers, in the order of its state dict."""
    return [tensor.detach().cpu().numpy().copy() for tensor in model.state_dict().values()]


def model_of(
    make_model: Callable[[], nn.Module], arrays: Sequence[NDArray[Any]], device: torch.device
) -> nn.Module:
    """Return a new model that holds some arrays, on a device.

    What it draws at random to begin with is replaced, so it is not drawn from the process's numbers.

    Raises
    ------
    ValueError
        As `load_arrays`.
    """
    with torch.random.fork_rng(devices=[]):
        model = make_model().to(device)
    load_arrays(model, arrays)
    return model


@torch.no_grad()
def load_arrays(model: nn.Module, arrays: Sequence[NDArray[Any]]) -> None:
    """Copy arrays into a model's parameters and buffers, in the order of its state dict.

    Raises
    ------
    ValueError
        Where number or shapes differ from the model's.
    """
    state = model.state_dict()
    if len(arrays) != len(state):
        raise ValueError(f"the model has {len(state)} arrays, got {len(arrays)}")
    for (name, tensor), array in zip(state.items(), arrays, strict=True):
        if tuple(tensor.shape) != array.shape:
            raise ValueError(f"{name} has shape {tuple(tensor.shape)}, got {array.shape}")
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(array)).reshape(tensor.shape))


def statistics_in(model: nn.Module) -> list[int]:
    """Return the positions, among a model's arrays, of what describes data and is not trained.

    Those are floating-point buffers, such as batch normalisation's running mean and variance.
    """
    buffers = {name for name, _ in model.named_buffers()}
    return [
        position
        for position, (name, tensor) in enumerate(model.state_dict().items())
        if name in buffers and tensor.dtype.is_floating_point
    ]
