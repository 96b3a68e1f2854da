"""Wrappers that average updates before another weighting sees them, and map its weights back.

Mixed updates ``A X`` have the Gramian ``A K A^T``, and weights q on them are ``A^T q`` on the updates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..gramian import squared_distances
from ..updates import FloatArray
from .parts.outliers import num_malicious
from .weighting import Epsilon, Weighting, check_epsilon_or_auto


@dataclass(frozen=True)
class NearestNeighborMixing(Weighting):
    """Replace each update by the mean of the ``m - f`` nearest to it, itself included.

    Allouah et al., "Fixing by mixing: a recipe for optimal Byzantine ML under heterogeneity" (AISTATS
    2023).

    Parameters
    ----------
    weighting : Weighting
        What weighs the mixed updates.
    epsilon : float or "auto", default 0.2
        The fraction of malicious clients to withstand; at least 0 and below 0.5. f is that many.
    """

    weighting: Weighting
    epsilon: Epsilon = 0.2

    def __post_init__(self) -> None:
        check_epsilon_or_auto(self.epsilon)

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates before mixing."""
        m = len(gramian)
        number = m - num_malicious(self.epsilon, gramian)
        distances = squared_distances(gramian)
        np.fill_diagonal(distances, -1.0)  # itself first, even among copies
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :number]
        mixing = np.zeros((m, m))
        np.put_along_axis(mixing, nearest, 1 / number, axis=1)
        return self.weighting(mixing @ gramian @ mixing.T) @ mixing


@dataclass(frozen=True)
class Bucketing(Weighting):
    """Average random buckets of updates.

    Karimireddy, He, Jaggi, "Byzantine-robust learning on heterogeneous datasets via bucketing" (ICLR
    2022). As a bucket with one malicious update is malicious, the wrapped weighting must withstand
    ``bucket_size`` times the fraction.

    Parameters
    ----------
    weighting : Weighting
        What weighs the buckets' means.
    bucket_size : int, default 2
        Updates in a bucket, at least 1; the last one may hold fewer.
    seed : int, default 0
        Of the assignment to buckets. Clients are drawn in the order of their updates' lengths, so that
        the order in which they replied does not matter.

    Raises
    ------
    ValueError
        For an argument out of its range.
    """

    weighting: Weighting
    bucket_size: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.bucket_size < 1:
            raise ValueError(f"bucket_size must be at least 1, got {self.bucket_size}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")

    def __call__(self, gramian: FloatArray) -> FloatArray:
        """Return the weights of the updates before averaging."""
        m = len(gramian)
        by_length = np.argsort(np.diag(gramian), kind="stable")
        order = by_length[np.random.default_rng(self.seed).permutation(m)]
        bucket = np.empty(m, dtype=np.intp)
        bucket[order] = np.arange(m) // self.bucket_size
        member = (np.arange(bucket.max() + 1)[:, None] == bucket).astype(np.float64)
        averaging = member / member.sum(axis=1, keepdims=True)
        weights: FloatArray = self.weighting(averaging @ gramian @ averaging.T) @ averaging
        return weights
