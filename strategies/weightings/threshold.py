"""The stopping threshold of Filtering and No-Regret, estimated from the updates themselves.

Both algorithms stop where ``||Cov_q||_2 <= xi``, and ``xi`` should be just above what the honest
updates' covariance reaches: lower, and honest clients are removed one after the other; higher, and
malicious ones stay. Nobody knows that value, so it is read off the updates that lie closest together.
"""

from __future__ import annotations

import numpy as np

from ..gramian import squared_distances
from ..updates import FloatArray
from .spectrum import top_direction

SLACK = 1.3
"""How far above the inner updates' covariance the threshold lies.

The updates nearest to the medoid spread less than all honest ones do, and a sample's top eigenvalue
scatters; 1.3 is the value that a trial over ten attacks favoured.
"""


def stopping_threshold(gramian: FloatArray, epsilon: float) -> float:
    """Estimate the covariance norm that m updates would have without their malicious ones.

    It is 1.3 times the norm of the covariance of the ``(1 - epsilon) m`` updates nearest to the
    medoid, which is the update whose ``(1 - epsilon) m`` nearest updates are closest. At most
    ``epsilon m`` malicious updates cannot raise it beyond what their staying within the honest
    updates' own distances allows.
    """
    m = len(gramian)
    inner = min(m, int(np.ceil((1 - epsilon) * m)))
    distances = squared_distances(gramian)
    medoid = int(np.argmin(np.sort(distances, axis=1)[:, :inner].sum(axis=1)))
    q = np.zeros(m)
    q[np.argsort(distances[medoid], kind="stable")[:inner]] = 1 / inner
    return SLACK * top_direction(gramian, q)[0]
