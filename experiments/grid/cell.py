"""A cell of a study: one run of the app, or of a module that the study names.

A study whose runs do something that no setting of the app says names a module in ``run``. It takes extra
settings, which the study sets and varies as it does the app's own.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig


class RunModule(Protocol):
    """What a module has that runs a study's cells."""

    EXTRA_SETTINGS: Mapping[str, Any]
    """Its settings beside the app's, with their defaults."""

    def check(self, extra: Mapping[str, Any]) -> None:
        """Raise `InvalidSetting` where the extra settings have a wrong value."""

    def run(self, config: RunConfig, extra: Mapping[str, Any]) -> None:
        """Run one federation in this process, as `run_in_this_process` does."""


def run_module(name: str) -> RunModule:
    """Import the module that runs cells.

    Raises
    ------
    InvalidSetting
        Where there is none of that name, or it lacks what `RunModule` has.
    """
    try:
        module = importlib.import_module(name)
    except ImportError as problem:
        raise InvalidSetting(f"run must name a Python module, got {name!r}: {problem}") from problem
    missing = [part for part in ("EXTRA_SETTINGS", "check", "run") if not hasattr(module, part)]
    if missing:
        raise InvalidSetting(f"run must name a module with {missing[0]}, got {name!r}")
    return cast(RunModule, module)


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes
    ----------
    varied : dict
        The settings in which the study's cells differ, without the seed; None for one that has no effect
        in this cell.
    config : RunConfig
        The app's settings; ``results_dir`` is empty until the cell is run.
    run : str, optional
        The module that runs the cell; the app where there is none.
    extra : mapping
        The settings of that module.
    """

    varied: dict[str, Any]
    config: RunConfig
    run: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What varies, legibly, and a digest of all settings that are off their defaults.

        So a setting that is new, with a default that changes nothing, leaves every cell its name.
        """
        defaults = run_module(self.run).EXTRA_SETTINGS if self.run else {}
        changed = {name: value for name, value in self.extra.items() if value != defaults[name]}
        described = json.dumps(self.config.off_default | changed, sort_keys=True)
        digest = hashlib.blake2b(described.encode(), digest_size=4).hexdigest()
        parts = [
            value if isinstance(value, str) else f"{name}={str(value).lower()}"
            for name, value in self.varied.items()
            if value is not None
        ]
        return "-".join([*parts, f"seed{self.config.seed}", digest]).replace("/", "_")
