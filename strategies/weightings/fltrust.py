"""FLTrust: clients count by how far their update points the way that the server's own does.

Cao, Fang, Liu, Gong, "FLTrust: Byzantine-robust federated learning via trust bootstrapping" (NDSS 2021),
equation (4). With the server's update ``x_0``, trained on a few samples of its own (root data)::

    TS_i = max(0, cos(x_i, x_0)),   sum_i TS_i (|x_0| / |x_i|) x_i  /  sum_i TS_i
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import FloatArray, NDArrays
from .defence import Defence, Defended, Seen

TrainOnRootData = Callable[[NDArrays], NDArrays]
"""Returns the model that comes of training another one on the server's own samples."""


@dataclass(frozen=True, eq=False)
class FLTrust(Defence):
    """Weights by the cosine with the server's update, all updates brought to its length.

    Parameters
    ----------
    root : callable, or ndarray of shape (d,)
        Trains a model on root data, as clients train theirs; or, for `aggregate`, the server's update
        itself. None until it is known.
    """

    root: TrainOnRootData | FloatArray | None = None

    def defend(self, seen: Seen) -> Defended:
        """Return the weights, and what brings each update to the server's length.

        Raises
        ------
        ValueError
            Without root data, or for a server's update that is not finite or has not as many numbers as
            the clients'.
        """
        own, lengths = self._own_update(seen), seen.lengths
        own_length = float(np.linalg.norm(own))
        scale = lengths * own_length
        cosines = np.divide(seen.products_with(own), scale, out=np.zeros_like(lengths), where=scale > 0)
        trust = np.maximum(cosines, 0.0)
        if not trust.any():  # nobody is trusted, so the model stays
            return Defended(np.full(len(trust), 1 / len(trust)), np.zeros_like(trust))
        factors = np.divide(own_length, lengths, out=np.zeros_like(lengths), where=lengths > 0)
        return Defended(trust / trust.sum(), factors)

    def _own_update(self, seen: Seen) -> FloatArray:
        known = seen.known
        if self.root is None:
            raise ValueError("root must be given to FLTrust: it goes by samples of the server's own")
        if not callable(self.root):
            own = np.asarray(self.root, dtype=np.float64).ravel()
        elif known.model is None:
            raise ValueError("root must be the server's update where there is no model to train")
        else:
            trained = self.root([array.copy() for array in known.model])
            own = known.flat(known.model) - known.flat(trained)
        d = seen.updates.num_coordinates
        if own.shape != (d,) or not np.isfinite(own).all():
            raise ValueError(f"the server's update must hold {d} finite numbers, got {own.size} numbers")
        return own
