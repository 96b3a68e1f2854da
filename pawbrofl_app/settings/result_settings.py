"""Settings of the results: where they go, and what is written while the run goes on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from ..trackers import NO_TRACKER, TRACKERS
from .setting import SECTION, Flag, Folder, Text, WholeNumber, named


@dataclass(frozen=True, config=SECTION)
class ResultSettings:
    """Where results go, and what is written while the run goes on."""

    results_dir: Folder = ""
    """Absolute folder for the results, not existing yet; "": a new one in ~/pawbrofl-results."""
    figures: Flag = True
    """Draw the run's figures at its end?"""
    tracker: Annotated[Text, named((NO_TRACKER, *TRACKERS))] = NO_TRACKER
    """Where measures go as well while the run goes on: "none", "tensorboard" (event files, in the
    results folder's tensorboard/), "mlflow" (a store there, mlflow/mlflow.db; "mlflow(uri=...)" for
    another), or your own, "my_module:MyTracker": docs/your_own.md."""
    checkpoint_every: WholeNumber = Field(default=1, ge=0)
    """Write a checkpoint after every so many rounds; 0: none. They are removed when the run is
    finished."""
    resume: Flag = False
    """Go on with the run whose folder results-dir names, after its last checkpoint. Where there is none
    yet, begin."""
