"""Opens the folder that a run writes to: a new one, or that of the run which it resumes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ..settings.run_config import InvalidSetting, RunConfig
from ..trackers import tracker_named
from .reserved_folder import new_folder
from .resumption import check_resumable
from .writer import RunWriter

DEFAULT_RESULTS = Path.home() / "pawbrofl-results"


def open_records(config: RunConfig, malicious: Collection[int]) -> RunWriter:
    """Return the writer of the folder that ``results-dir`` names, by default one named by the time.

    Raises
    ------
    InvalidSetting
        Where the folder exists or cannot be made; of a resumed run, where the settings differ from
        those recorded there, or another process still writes there.
    """
    return RunWriter(
        _folder_of(config),
        config.as_settings(),
        num_clients=config.federation.num_clients,
        malicious=malicious,
        minority=config.minority_clients,
        tracker=tracker_named(config.results.tracker),
        has_personal_models=config.training.ditto is not None,
    )


def _folder_of(config: RunConfig) -> Path:
    given = config.results.results_dir
    if config.results.resume and not given:
        raise InvalidSetting("results-dir must name the folder of the run to resume, got ''")
    try:
        return new_folder(given, DEFAULT_RESULTS)
    except FileExistsError:
        check_resumable(config)
        return Path(given)
