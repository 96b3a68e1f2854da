"""A run in this process: the app's ServerApp and ClientApp, handed to the in-process engine."""

from __future__ import annotations

from flwr.app import Context, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID
from flwr.serverapp import ServerApp

from clients.training_cache import TrainingCache

from .client_app import honest_client, make_client_app
from .engines.cohorts import CohortTraining
from .engines.in_process import RUN_ID, InProcessGrid, Settings
from .server_app import app
from .settings.run_config import RunConfig


def run_in_this_process(config: RunConfig, server_app: ServerApp = app) -> None:
    """Run one federation from its settings to its finished records.

    Parameters
    ----------
    config : RunConfig
    server_app : ServerApp
        By default the project's own.

    Raises
    ------
    InvalidSetting, DataUnavailable
        What the ServerApp raises before the first round.
    """
    cache = TrainingCache()
    cohorts = CohortTraining(config, lambda client: honest_client(config, client, cache), cache)
    settings: Settings = dict(config.as_settings())
    grid = InProcessGrid(make_client_app(cache), settings, config.federation.num_clients, cohorts)
    server_app(grid, Context(RUN_ID, SUPERLINK_NODE_ID, {}, RecordDict(), settings))
