"""Where tensors live, and settings that make the same computation give the same numbers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")


class DeviceUnavailable(RuntimeError):
    """The device that was asked for is not there, or not for this process."""


def training_device(device: str) -> torch.device:
    """Return the device for one of `DEVICES`; "auto" is CUDA where this process may use it.

    In a simulation a client may use a GPU where ``client-resources-num-gpus`` is above 0.

    Raises
    ------
    DeviceUnavailable
        For "cuda" where this process sees no GPU.
    """
    import torch

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceUnavailable(
            "device must be auto or cpu where PyTorch finds no GPU, got 'cuda'; in a simulation "
            "client-resources-num-gpus must be above 0 for clients to be given one"
        )
    return torch.device(device)


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not everywhere
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def compute_reproducibly() -> None:
    """Make training on this process's device repeatable, however many processes share the machine.

    One thread: a different number of threads adds floating-point numbers in a different order, and
    clients that run side by side use the other cores.
    """
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
