"""A run in this process: the app's ServerApp and ClientApp, handed to the in-process engine."""

from __future__ import annotations

from flwr.serverapp import ServerApp

from clients.training_cache import TrainingCache

from .client_app import honest_client, make_client_app
from .engines.cohorts import CohortTraining
from .engines.in_process import run_in_process
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
    run_in_process(config, server_app, make_client_app(cache), cohorts)
