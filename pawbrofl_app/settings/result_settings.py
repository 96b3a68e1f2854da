"""Settings of the results: where they go, and what is written while the run goes on."""

from __future__ import annotations

from pydantic import Field
from pydantic.dataclasses import dataclass

from .setting import SECTION, Flag, Folder, WholeNumber


@dataclass(frozen=True, config=SECTION)
class ResultSettings:
    """Where results go, and what is written while the run goes on."""

    results_dir: Folder = ""
    """Absolute folder for the results, not existing yet; "": a new one in ~/pawbrofl-results."""
    figures: Flag = True
    """Draw the run's figures at its end?"""
    tensorboard: Flag = False
    """Write TensorBoard event files while the run goes on, into the results folder's tensorboard/?"""
    checkpoint_every: WholeNumber = Field(default=1, ge=0)
    """Write a checkpoint after every so many rounds; 0: none. They are removed when the run is
    finished."""
    resume: Flag = False
    """Go on with the run whose folder results-dir names, after its last checkpoint. Where there is none
    yet, begin."""
