"""Groups of updates, each put in the place of its members as their mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...arrays import FloatArray


def group_means(groups: NDArray[np.intp]) -> FloatArray:
    """Return the (n, m) matrix A that takes m updates X to the means of their n groups, ``A X``.

    The means' Gramian is ``A K A^T``, and weights q of the means are ``q A`` on the updates.

    Parameters
    ----------
    groups : ndarray of shape (m,)
        The number of each update's group; all of 0 to n - 1 occur.
    """
    member = (np.arange(groups.max() + 1)[:, None] == groups).astype(np.float64)
    means: FloatArray = member / member.sum(axis=1, keepdims=True)
    return means
