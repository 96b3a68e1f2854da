"""The stopping threshold of Filtering and No-Regret, estimated from the updates themselves.

Both algorithms stop where ``||Cov_q||_2 <= xi``, and ``xi`` should be just above what the honest
updates' covariance reaches: lower, and honest clients are removed one after the other; higher, and
malicious ones stay. Nobody knows that value, but the weights of least spread (`least_spread`) have a
covariance that is at most the honest clients' own, whatever the malicious ones send.
"""

from __future__ import annotations

from ...arrays import FloatArray
from .least_spread import least_spread
from .spectrum import top_direction

SLACK = 1.3
"""How far above the least covariance the threshold lies.

The weights of least spread leave out an epsilon fraction of the updates, the widest of the honest ones
if no other. For one normally distributed direction that divides the variance by 1.6 at epsilon 0.1 and
by 4.7 at 0.4, for very many directions by nothing. 1.3 keeps nearer to the second: honest updates that
are filtered cost less than malicious ones that are not.
"""


def stopping_threshold(gramian: FloatArray, max_malicious: int) -> float:
    """Estimate the covariance norm that updates would have without their malicious ones.

    Malicious updates cannot raise it above `SLACK` times ``tr(Cov^4)^(1/4)`` of the honest ones, as
    equal weights on those are among the weights whose spread is minimised.

    Parameters
    ----------
    gramian : ndarray of shape (m, m)
        Inner products of the updates.
    max_malicious : int
        How many of them may be malicious.
    """
    q = least_spread(gramian, 1 / (len(gramian) - max_malicious))
    return SLACK * top_direction(gramian, q).eigenvalue
