"""Whether this machine can do what the settings ask for."""

from __future__ import annotations

from importlib.util import find_spec

from ..tasks.datasets import load_task
from ..tasks.devices import DeviceUnavailable, training_device
from ..tasks.networks import UnfitNetwork, check_network
from ..tasks.partitions import ImpossiblePartition, client_indices
from .run_config import RunConfig
from .setting import InvalidSetting


def check_machine(config: RunConfig) -> None:
    """Find the device, load (or download) and split the data, and try network and attack on them.

    Raises
    ------
    InvalidSetting
        Naming what this machine lacks.
    DataUnavailable
        Where the data set can be neither read nor downloaded.
    """
    if config.results.tensorboard and find_spec("tensorboard") is None:
        raise InvalidSetting(
            "tensorboard must be false where the package of that name is not installed, got True; "
            "to install it in a clone of this project: pip install -e '.[tensorboard]'"
        )
    try:
        training_device(config.training.device)
        task = load_task(config.data.dataset, config.data.data_dir)
        client_indices(config.partitioned_data)
        check_network(config.training.network, task)
    except (DeviceUnavailable, ImpossiblePartition, UnfitNetwork) as problem:
        raise InvalidSetting(str(problem)) from problem
    config.threat.check_on(task)
