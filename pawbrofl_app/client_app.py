"""The ClientApp: one benign or malicious client for each SuperNode."""

from __future__ import annotations

from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.common import Context

from clients.benign import BenignClient
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient

from .client_roles import attack_of, collusion_of
from .datasets import LabelledImages, load_dataset
from .devices import compute_reproducibly, training_device
from .model import NETWORKS
from .partitions import client_indices
from .run_config import RunConfig
from .site import Site, load_own_data


def client_fn(context: Context) -> Client:
    """Return the client of a SuperNode, with the samples that its node config names."""
    config = RunConfig.parse(context.run_config)
    site = Site.parse(context.node_config, config.num_clients)
    compute_reproducibly()
    return client_at(config, site).to_client()


def client_of(config: RunConfig, partition_id: int) -> BenignClient:
    """Return a client of a simulated run, benign or malicious."""
    return client_at(config, Site(partition_id))


def benign_client(config: RunConfig, partition_id: int) -> BenignClient:
    """Return a client of a simulated run as it is without any attack."""
    return _benign_client_at(config, Site(partition_id))


def client_at(config: RunConfig, site: Site) -> BenignClient:
    """Return the client of a site, benign or malicious."""
    benign = _benign_client_at(config, site)
    attack = attack_of(config, site)
    if attack is None:
        return benign
    return MaliciousClient(
        benign.make_model,
        benign.inputs,
        benign.labels,
        benign.training,
        partition_id=site.partition_id,
        seed=config.seed,
        attack=attack,
        collusion=collusion_of(config, site.partition_id, lambda other: benign_client(config, other)),
    )


def local_training(config: RunConfig) -> LocalTraining:
    """Return how the clients of a run train."""
    return LocalTraining(
        config.local_epochs,
        config.batch_size,
        config.learning_rate,
        config.gap_measure,
        config.validation_share,
        config.gap_samples,
    )


def _benign_client_at(config: RunConfig, site: Site) -> BenignClient:
    images, labels = _samples(config, site).as_inputs(training_device(config.device))
    return BenignClient(
        NETWORKS[config.network],
        images,
        labels,
        local_training(config),
        partition_id=site.partition_id,
        seed=config.seed,
    )


def _samples(config: RunConfig, site: Site) -> LabelledImages:
    if site.data_dir:
        return load_own_data(site.data_dir, config.dataset)
    train = load_dataset(config.dataset, config.data_dir).train
    return train.select(client_indices(config)[site.partition_id])


app = ClientApp(client_fn=client_fn)
