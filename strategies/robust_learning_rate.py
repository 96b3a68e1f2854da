"""Robust learning rate (RLR): the step is turned around in coordinates in which too few clients agree.

Ozdayi, Kantarcioglu, Gel, "Defending against backdoors in federated learning with robust learning rate"
(AAAI 2021). With a learning threshold theta, coordinate j of the aggregated update is multiplied with::

    +1  where |sum_i sign(x_ij)| >= theta,  -1 elsewhere
"""

from __future__ import annotations

import numpy as np

from .arrays import NDArrays
from .updates import Block, ClientUpdates


def robust_learning_rates(updates: ClientUpdates, threshold: int) -> NDArrays:
    """Return what to multiply each coordinate of the aggregated update with: 1 or -1.

    Parameters
    ----------
    updates : ClientUpdates
        Of lists of arrays.
    threshold : int
        By how many clients the signs of one kind must outnumber those of the other.
    """
    rates = np.ones(updates.num_coordinates)
    for part, columns in updates.read(Block(0, len(rates)), np.float64):
        balance = np.sign(columns).sum(axis=0)
        rates[part.start : part.stop] = np.where(np.abs(balance) >= threshold, 1.0, -1.0)
    return list(updates.in_their_form(rates))
