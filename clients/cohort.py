"""The honest trainings of several clients at once, in lock-step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from .honest import HonestClient, batch_order
from .local_evaluation import BatchTransform
from .lock_step import ClientSamples, train_in_lock_step
from .model_arrays import model_of
from .training_cache import NDArrays, Trained


def train_cohort(
    clients: Sequence[HonestClient],
    parameters: NDArrays,
    server_round: int,
    transforms: Mapping[int, BatchTransform] = MappingProxyType({}),
) -> dict[int, Trained]:
    """Return what `HonestClient.train` would, for several clients, by their partition ids.

    Parameters
    ----------
    clients : sequence of HonestClient
        At least one, with models, training and devices alike.
    parameters : list of ndarray
        The received model.
    server_round : int
    transforms : mapping of int to callable
        What changes the batches of those who have one, by partition id.

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
            transforms.get(client.partition_id),
        )
        for client in clients
    ]
    models, reports = train_in_lock_step(model, samples, clients[0].training)
    arrays = [stacked.cpu().numpy() for stacked in models.values()]
    return {
        client.partition_id: ([stacked[i].copy() for stacked in arrays], report)
        for i, (client, report) in enumerate(zip(clients, reports, strict=True))
    }
