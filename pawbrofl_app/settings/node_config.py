"""What a SuperNode's node config says: which client it is, whose data it trains on, on whose side it is.

- ``partition-id`` (required): the client's number, from 0; ``num-partitions``: how many there are.
- ``data-dir``: an absolute folder with the site's own data, either ``train.npz`` or the run's data set
  in torchvision's layout, all of which is the site's. Without it, the client trains on its share of the
  run's data set, as in a simulation.
- ``malicious``: true or false. Without it, the run config's seed draws the malicious clients; but a site
  with data of its own attacks only if its own node config says so, whatever a run asks for.
"""

from __future__ import annotations

import difflib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..tasks.datasets import DataUnavailable, LabelledImages, load_dataset
from .setting import InvalidSetting
from .threat_settings import IMAGE_SIZE, NUM_CLASSES

KNOWN = ("partition-id", "num-partitions", "data-dir", "malicious")
OWN_DATA = "train.npz"


@dataclass(frozen=True)
class Site:
    """One client's place in the federation.

    Attributes
    ----------
    partition_id : int
        The client's number, at least 0 and below ``num-clients``.
    data_dir : str
        Folder of the site's own data; empty where it has none.
    malicious : bool or None
        None: as the run config's seed draws.
    """

    partition_id: int
    data_dir: str = ""
    malicious: bool | None = None

    @classmethod
    def parse(cls, node_config: Mapping[str, Any], num_clients: int) -> Site:
        """Return the checked node config.

        Raises
        ------
        InvalidSetting
            Naming the key, its value and what is allowed.
        """
        for name in node_config:
            near = difflib.get_close_matches(name, KNOWN, n=1)
            if name not in KNOWN and near:
                raise InvalidSetting(f"unknown node config {name!r}: did you mean {near[0]!r}?")
        number: Any = node_config.get("partition-id")
        if not _is_whole(number) or not 0 <= number < num_clients:
            raise InvalidSetting(
                f"partition-id in the node config must be a whole number, at least 0 and below "
                f"num-clients {num_clients}, got {number!r}"
            )
        count = node_config.get("num-partitions", num_clients)
        if not _is_whole(count) or count < 1:
            raise InvalidSetting(
                f"num-partitions in the node config must be a whole number, at least 1, got {count!r}"
            )
        malicious = node_config.get("malicious")
        if not (malicious is None or isinstance(malicious, bool)):
            raise InvalidSetting(
                f"malicious in the node config must be true or false, got {malicious!r}"
            )
        return cls(number, _folder(node_config.get("data-dir", "")), malicious)

    def attacks(self, drawn: bool) -> bool:
        """Return whether the client is malicious.

        Parameters
        ----------
        drawn : bool
            Whether it is one of those that the run config's seed draws.
        """
        if self.malicious is not None:
            return self.malicious
        return drawn and not self.data_dir


def load_own_data(data_dir: str, dataset: str) -> LabelledImages:
    """Return all samples of a site's own data.

    Parameters
    ----------
    data_dir : str
        With ``train.npz``, which holds ``images`` of shape (n, 28, 28), uint8, and ``labels`` of shape
        (n,), whole numbers below 10; or with the data set in torchvision's layout.
    dataset : str
        The run's data set.

    Raises
    ------
    DataUnavailable
        Naming the file and what is wrong with it.
    """
    path = Path(data_dir) / OWN_DATA
    if path.is_file():
        return _read(path)
    if dataset == "digits":
        raise DataUnavailable(f"data-dir {data_dir!r} in the node config does not hold {OWN_DATA}")
    return load_dataset(dataset, data_dir).train


def _read(path: Path) -> LabelledImages:
    try:
        with np.load(path, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as problem:
        raise DataUnavailable(
            f"{path} is no .npz file with arrays images and labels: {problem}"
        ) from problem
    if images.dtype != np.uint8 or images.ndim != 3 or images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE):
        raise DataUnavailable(
            f"images in {path} must be uint8 of shape (n, {IMAGE_SIZE}, {IMAGE_SIZE}), got "
            f"{images.dtype} of shape {images.shape}"
        )
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1] or not len(labels):
        raise DataUnavailable(
            f"labels in {path} must be whole numbers, one for each of {len(images)} images and at least "
            f"one, got {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= NUM_CLASSES:
        raise DataUnavailable(
            f"labels in {path} must be at least 0 and below {NUM_CLASSES}, got {labels.min()} to "
            f"{labels.max()}"
        )
    return LabelledImages(torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.int64)))


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _folder(data_dir: Any) -> str:
    if data_dir == "":
        return ""
    if not isinstance(data_dir, str) or not Path(data_dir).is_absolute() or not Path(data_dir).is_dir():
        raise InvalidSetting(
            f"data-dir in the node config must be the absolute path of a folder, got {data_dir!r}"
        )
    return data_dir
