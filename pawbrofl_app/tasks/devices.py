"""Where tensors live, and settings that make the same computation give the same numbers."""

from __future__ import annotations

import os

import torch

from ..settings.run_config import InvalidSetting


def training_device(device: str) -> torch.device:
    """Return the device for a ``device`` setting; "auto" is CUDA where this process may use it.

    In a simulation a client may use a GPU where ``client-resources-num-gpus`` is above 0.

    Raises
    ------
    InvalidSetting
        For "cuda" where this process sees no GPU.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidSetting(
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
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA starts
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
