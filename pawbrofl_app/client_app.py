"""The ClientApp: one benign or malicious client for each SuperNode."""

from __future__ import annotations

from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.common import Context

from clients.benign import BenignClient
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient

from .client_roles import attack_of, collusion_of
from .datasets import load_dataset
from .devices import compute_reproducibly, training_device
from .model import NETWORKS
from .partitions import client_indices
from .run_config import InvalidSetting, RunConfig


def client_fn(context: Context) -> Client:
    """Return the client of a SuperNode, with the part of the data that its node config names."""
    config = RunConfig.parse(context.run_config)
    partition_id = int(context.node_config["partition-id"])
    if not 0 <= partition_id < config.num_clients:
        raise InvalidSetting(
            f"partition-id must be at least 0 and below num-clients {config.num_clients}, "
            f"got {partition_id}"
        )
    compute_reproducibly()
    return client_of(config, partition_id).to_client()


def client_of(config: RunConfig, partition_id: int) -> BenignClient:
    """Return a client of the run, benign or malicious."""
    benign = benign_client(config, partition_id)
    attack = attack_of(config, partition_id)
    if attack is None:
        return benign
    return MaliciousClient(
        benign.make_model,
        benign.inputs,
        benign.labels,
        benign.training,
        partition_id=partition_id,
        seed=config.seed,
        attack=attack,
        collusion=collusion_of(config, partition_id, lambda other: benign_client(config, other)),
    )


def benign_client(config: RunConfig, partition_id: int) -> BenignClient:
    """Return a client of the run as it is without any attack."""
    train = load_dataset(config.dataset, config.data_dir).train
    images, labels = train.select(client_indices(config)[partition_id]).as_inputs(
        training_device(config.device)
    )
    training = LocalTraining(
        config.local_epochs,
        config.batch_size,
        config.learning_rate,
        config.gap_measure,
        config.validation_share,
    )
    return BenignClient(
        NETWORKS[config.network],
        images,
        labels,
        training,
        partition_id=partition_id,
        seed=config.seed,
    )


app = ClientApp(client_fn=client_fn)
