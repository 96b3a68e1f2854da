"""Encoded images (PNG, JPEG, ...) decoded into one array, once for a machine: decoding takes minutes.

What was decoded is kept in ``~/.cache/pawbrofl/decoded`` and mapped into memory, so that the processes
of a simulation share it.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from .task import DataUnavailable

DECODED = Path.home() / ".cache" / "pawbrofl" / "decoded"
Picture = Path | bytes


def decoded_once(
    files: Sequence[Path], settings: Sequence[object], decode: Callable[[], NDArray[np.uint8]]
) -> Tensor:
    """Return images (n, channels, height, width), uint8, decoded now or kept from before.

    Parameters
    ----------
    files : sequence of Path
        What is decoded; it is decoded anew where a file's size or time is another.
    settings : sequence of object
        What else the result depends on.
    decode : callable
        Returns images (n, height, width, channels).
    """
    state = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    name = hashlib.blake2b(repr((state, list(settings))).encode(), digest_size=16).hexdigest()
    kept = DECODED / f"{name}.npy"
    DECODED.mkdir(parents=True, exist_ok=True)
    with FileLock(DECODED / f".{name}.lock"):
        if not kept.is_file():
            part = DECODED / f"{name}.{os.getpid()}.npy"
            np.save(part, np.ascontiguousarray(decode().transpose(0, 3, 1, 2)))
            part.replace(kept)
    return torch.from_numpy(np.load(kept, mmap_mode="c"))


def decode_all(pictures: Sequence[Picture], names: Sequence[str], size: int = 0) -> NDArray[np.uint8]:
    """Return images (n, height, width, channels): grey where all are grey, else in colours.

    Parameters
    ----------
    pictures : sequence of Path or bytes
    names : sequence of str
        What each is called where it cannot be used.
    size : int
        Height and width to make them of; 0 for those that they have, which must be alike.

    Raises
    ------
    DataUnavailable
        Naming the first picture that is none, or has another size than the first one.
    """
    images: list[NDArray[np.uint8]] = []
    for picture, name in zip(pictures, names, strict=True):
        image = _decoded(picture, name, size)
        if images and image.shape[:2] != images[0].shape[:2]:
            raise DataUnavailable(
                f"{name} has {image.shape[0]} x {image.shape[1]} pixels, but {names[0]} has "
                f"{images[0].shape[0]} x {images[0].shape[1]}; with size=32 all are made of that size"
            )
        images.append(image)
    if all(image.shape[2] == 1 for image in images):
        return np.stack(images)
    return np.stack([np.broadcast_to(image, (*image.shape[:2], 3)) for image in images])


def _decoded(picture: Picture, name: str, size: int) -> NDArray[np.uint8]:
    source: Any = io.BytesIO(picture) if isinstance(picture, bytes) else picture
    try:
        with Image.open(source) as opened:
            image = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
            if size:
                image = image.resize((size, size), Image.Resampling.BILINEAR)
            array = np.asarray(image)
    except (OSError, ValueError) as problem:
        raise DataUnavailable(f"{name} is no image that can be read: {problem}") from problem
    return array.reshape(*array.shape[:2], -1)
