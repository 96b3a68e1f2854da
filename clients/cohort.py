"""The honest trainings of several clients at once, in lock-step."""

from __future__ import annotations

from collections.abc import Sequence

from .honest import HonestClient, batch_order
from .lock_step import ClientSamples, train_in_lock_step
from .model_arrays import model_of
from .training_cache import NDArrays, Trained


def train_cohort(
    clients: Sequence[HonestClient], parameters: NDArrays, server_round: int
) -> dict[int, Trained]:
    """Return what `HonestClient.honest_training` would, for several clients, by their partition ids.

    Parameters
    ----------
    clients : sequence of HonestClient
        At least one, with models, training and devices alike.
    parameters : list of ndarray
        The received model.
    server_round : int

    Raises
    ------
    ValueError
        As `train_in_lock_step`.
    """
    model = model_of(clients[0].make_model, parameters, clients[0].inputs.device)
    samples = [
        ClientSamples(
            client.inputs,
            client.labels,
            batch_order(client.seed, server_round, client.partition_id),
        )
        for client in clients
    ]
    models, reports = train_in_lock_step(model, samples, clients[0].training)
    arrays = [stacked.cpu().numpy() for stacked in models.values()]
    return {
        client.partition_id: ([stacked[i].copy() for stacked in arrays], report)
        for i, (client, report) in enumerate(zip(clients, reports, strict=True))
    }
