"""The ClientApp: one benign or malicious client for each SuperNode."""

from __future__ import annotations

from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.common import Context

from clients.benign import BenignClient
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient

from .client_roles import attack_of
from .datasets import load_dataset
from .devices import compute_reproducibly, training_device
from .model import ConvolutionalNetwork
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
    train = load_dataset(config.dataset, config.data_dir).train
    images, labels = train.select(client_indices(config)[partition_id]).as_inputs(
        training_device(config.device)
    )
    training = LocalTraining(config.local_epochs, config.batch_size, config.learning_rate)
    attack = attack_of(config, partition_id)
    if attack is None:
        client = BenignClient(
            ConvolutionalNetwork,
            images,
            labels,
            training,
            partition_id=partition_id,
            seed=config.seed,
        )
    else:
        client = MaliciousClient(
            ConvolutionalNetwork,
            images,
            labels,
            training,
            partition_id=partition_id,
            seed=config.seed,
            attack=attack,
        )
    return client.to_client()


app = ClientApp(client_fn=client_fn)
