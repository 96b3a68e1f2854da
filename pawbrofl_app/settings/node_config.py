"""What a SuperNode's node config says: which client it is, whose data it trains on, on whose side it is.

- ``partition-id`` (required): the client's, from 0; ``num-partitions``: how many there are.
- ``data-dir``: an absolute folder with the site's own data, all of it the site's: ``train.npz``, or
  files as the run's data set has them. Without it, the client trains on its share of the run's data set,
  as in a simulation.
- ``dataset``: the site's own ``module:function`` that reads that folder, in place of the run's data set.
- ``malicious``: true or false. Without it, the run config's seed draws the malicious clients; but a site
  with data of its own attacks only if its own node config says so, whatever a run asks for.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attacks.named_object import is_own

from .setting import InvalidSetting, invalid

KNOWN = ("partition-id", "num-partitions", "data-dir", "dataset", "malicious")


@dataclass(frozen=True)
class Site:
    """One client's place in the federation.

    Attributes
    ----------
    partition_id : int
        The client's, at least 0 and below ``num-clients``.
    data_dir : str
        Folder of the site's own data; empty where it has none.
    malicious : bool or None
        None: as the run config's seed draws.
    dataset : str
        What reads the folder; empty for the run's data set.
    form : str
        The run's `TaskForm` as JSON; empty until the server has sent it.
    """

    partition_id: int
    data_dir: str = ""
    malicious: bool | None = None
    dataset: str = ""
    form: str = ""

    @classmethod
    def parse(cls, node_config: Mapping[str, Any], num_clients: int) -> Site:
        """Return the checked node config.

        Raises
        ------
        InvalidSetting
            Naming the key, its value and what is allowed.
        """
        for name in node_config:
            near = [] if name in KNOWN else difflib.get_close_matches(name, KNOWN, n=1)
            if near:
                raise InvalidSetting(f"unknown node config {name!r}: did you mean {near[0]!r}?")
        number: Any = node_config.get("partition-id")
        if not _is_whole(number) or not 0 <= number < num_clients:
            allowed = f"a whole number, at least 0 and below num-clients {num_clients}"
            raise invalid("partition-id in the node config", allowed, number)
        count = node_config.get("num-partitions", num_clients)
        if not _is_whole(count) or count < 1:
            allowed = "a whole number, at least 1"
            raise invalid("num-partitions in the node config", allowed, count)
        malicious = node_config.get("malicious")
        if not (malicious is None or isinstance(malicious, bool)):
            raise invalid("malicious in the node config", "true or false", malicious)
        folder = _folder(node_config.get("data-dir", ""))
        return cls(number, folder, malicious, _dataset(node_config.get("dataset", ""), folder))

    @property
    def knows_task(self) -> bool:
        """Whether the data can be read: a site's own only after the server has said what is learned."""
        return not self.data_dir or bool(self.form)

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


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _dataset(dataset: Any, folder: str) -> str:
    if dataset == "":
        return ""
    if not isinstance(dataset, str) or not is_own(dataset) or not folder:
        allowed = "the site's own module:function, which reads its data-dir"
        raise invalid("dataset in the node config", allowed, dataset)
    return dataset


def _folder(data_dir: Any) -> str:
    if data_dir == "":
        return ""
    if not isinstance(data_dir, str) or not Path(data_dir).is_absolute() or not Path(data_dir).is_dir():
        raise invalid("data-dir in the node config", "the absolute path of a folder", data_dir)
    return data_dir
