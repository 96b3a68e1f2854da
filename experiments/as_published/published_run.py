"""Runs one federation as the authors' code would, or with some of its departures put right.

A study whose ``run`` names this module sets or varies ``departures`` beside the app's settings.
"""

from __future__ import annotations

from collections.abc import Mapping

from flwr.common import Context
from flwr.serverapp import Grid, ServerApp

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.run_config import RunConfig

from .departures import departures_named, published_method

EXTRA_SETTINGS = {"departures": "none"}


def check(extra: Mapping[str, str]) -> None:
    """Raise `InvalidDepartures` for an unknown name."""
    departures_named(extra["departures"])


def run(config: RunConfig, extra: Mapping[str, str]) -> None:
    """Run one federation in this process, with ``departures`` beside what the settings say."""
    departures, app = departures_named(extra["departures"]), ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        settings = RunConfig.parse(context.run_config)
        serve(grid, settings, published_method(settings, departures))

    run_in_this_process(config, app)
