"""Whether this machine can do what the settings ask for."""

from __future__ import annotations

from ..tasks.datasets import load_task
from ..tasks.devices import DeviceUnavailable, training_device
from ..tasks.networks import UnfitNetwork, check_network
from ..tasks.partitions import ImpossiblePartition, client_indices
from ..trackers import tracker_named
from .run_config import RunConfig
from .setting import InvalidSetting


def check_machine(config: RunConfig) -> None:
    """Find tracker and device, load (or download) and split the data, try network and attack on them.

    Raises
    ------
    InvalidSetting
        Naming what this machine lacks.
    DataUnavailable
        Where the data set can be neither read nor downloaded.
    """
    try:
        tracker_named(config.results.tracker)
    except ValueError as problem:
        raise InvalidSetting(f"tracker {problem}") from problem
    try:
        training_device(config.training.device)
        task = load_task(config.data.dataset, config.data.data_dir)
        client_indices(config.partitioned_data)
        check_network(config.training.network, task)
    except (DeviceUnavailable, ImpossiblePartition, UnfitNetwork) as problem:
        raise InvalidSetting(str(problem)) from problem
    config.threat.check_on(task)
