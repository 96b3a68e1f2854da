"""The test part of data that come without one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from .task import DataUnavailable

TEST_SHARE = 0.2


def stratified(labels: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of training and test part, with the same shares of all classes.

    The split is part of the data, not of the run: seeds are compared on the same test samples.
    """
    try:
        train, test = train_test_split(
            np.arange(len(labels)), test_size=TEST_SHARE, random_state=0, stratify=labels
        )
    except ValueError as problem:
        raise DataUnavailable(f"a fifth cannot be set apart for testing: {problem}") from problem
    return train, test
