"""Runs one federation as the authors' code would, or with some of its departures put right."""

from __future__ import annotations

from flwr.common import Context
from flwr.serverapp import Grid, ServerApp

from pawbrofl_app.in_process_run import run_in_this_process
from pawbrofl_app.server_app import serve
from pawbrofl_app.settings.run_config import RunConfig

from .departures import published_method


def run_as_published(config: RunConfig, departures: frozenset[str]) -> None:
    """Run one federation in this process, with `departures` beside what the settings say."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: Context) -> None:
        settings = RunConfig.parse(context.run_config)
        serve(grid, settings, published_method(settings, departures))

    run_in_this_process(config, app)
