"""The ClientApp: one honest or malicious client for each SuperNode."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from flwr.app import ConfigRecord, Message, MessageType
from flwr.client import Client
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable
from flwr.common import Code, Context, GetPropertiesRes, RecordDict, Status
from flwr.common.constant import MessageTypeLegacy
from flwr.compat.common.recorddict_compat import getpropertiesres_to_recorddict
from torch import Tensor, nn

from clients.honest import HonestClient
from clients.local_training import LocalTraining
from clients.malicious import MaliciousClient
from clients.personal_model import PersonalModel
from clients.training_cache import TrainingCache

from .roles import attack_of, collusion_of, task_at
from .settings.node_config import Site
from .settings.run_config import RunConfig, Value
from .settings.training_settings import TrainingSettings
from .tasks.devices import compute_reproducibly, training_device
from .tasks.minorities import MAJORITY, MINORITY, group_tests
from .tasks.networks import make_network, network_of
from .tasks.partitions import PartitionedData, client_samples
from .tasks.task import DataUnavailable
from .tasks.task_form import FORM


def make_client_app(cache: TrainingCache | None = None) -> ClientApp:
    """Return a ClientApp whose clients share a cache, by default one of its own."""
    shared = cache or TrainingCache()
    return ClientApp(
        client_fn=lambda context: client_fn(context, shared), mods=[say_who_it_is, keep_form]
    )


def say_who_it_is(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Answer with the partition id without any data: of ten thousand clients few train in a round.

    A mod of Flower's.
    """
    config = _config_of(context)
    if message.metadata.message_type != MessageTypeLegacy.GET_PROPERTIES or config.training.ditto:
        return call_next(message, context)
    site = Site.parse(context.node_config, config.federation.num_clients)
    answer = GetPropertiesRes(Status(Code.OK, ""), {"partition_id": site.partition_id})
    return Message(getpropertiesres_to_recorddict(answer), reply_to=message)


def keep_form(message: Message, context: Context, call_next: ClientAppCallable) -> Message:
    """Keep the form of the run's task, which the server sends, where a site has data of its own.

    A mod of Flower's.

    Raises
    ------
    DataUnavailable
        Where such a site shall train or evaluate, and has not been sent it.
    """
    if context.node_config.get("data-dir"):
        for record in message.content.config_records.values():
            if FORM in record:
                context.state[FORM] = ConfigRecord({FORM: record[FORM]})
        asked = message.metadata.message_type
        if asked in (MessageType.TRAIN, MessageType.EVALUATE) and FORM not in context.state:
            raise DataUnavailable("the server does not say what it learns; is it of another version?")
    return call_next(message, context)


def client_fn(context: Context, cache: TrainingCache) -> Client:
    """Return the client of a SuperNode, with the samples that its node config names."""
    config = _config_of(context)
    site = Site.parse(context.node_config, config.federation.num_clients)
    if FORM in context.state.config_records:
        site = replace(site, form=str(context.state.config_records[FORM][FORM]))
    compute_reproducibly()
    return client_at(config, site, cache, context.state).to_client()


def _config_of(context: Context) -> RunConfig:
    return _parsed(tuple((name, type(value), value) for name, value in context.run_config.items()))


@functools.lru_cache(maxsize=4)
def _parsed(settings: tuple[tuple[str, type, Value], ...]) -> RunConfig:
    """Return a run's settings, parsed once and not for each message. Types tell true from 1."""
    return RunConfig.parse({name: value for name, _, value in settings})


def client_at(
    config: RunConfig,
    site: Site,
    cache: TrainingCache | None = None,
    state: RecordDict | None = None,
) -> HonestClient:
    """Return the client of a site, honest or malicious; its personal model, if any, is in a state."""
    cache = cache or TrainingCache()
    honest = _honest_client_at(config, site, cache)
    if config.training.ditto is not None and state is not None:
        own_test = None if site.data_dir else partial(_own_test, config, site)
        honest.personal = PersonalModel(config.training.ditto, state, own_test)
    attack = attack_of(config, site) if site.knows_task else None
    if attack is None:
        return honest
    collusion = collusion_of(
        config, site.partition_id, lambda other: honest_client(config, other, cache)
    )
    return MaliciousClient(**vars(honest), attack=attack, collusion=collusion)


def client_of(config: RunConfig, partition_id: int, cache: TrainingCache | None = None) -> HonestClient:
    """Return a client of a simulated run, honest or malicious."""
    return client_at(config, Site(partition_id), cache)


def honest_client(
    config: RunConfig, partition_id: int, cache: TrainingCache | None = None
) -> HonestClient:
    """Return a client of a simulated run as it is without any attack."""
    return _honest_client_at(config, Site(partition_id), cache or TrainingCache())


def local_training(training: TrainingSettings) -> LocalTraining:
    """Return how the clients of a run train."""
    return LocalTraining(
        training.local_epochs,
        training.batch_size,
        training.learning_rate,
        training.gap_measure,
        training.validation_share,
        training.gap_samples,
        training.momentum,
        training.weight_decay,
    )


def _honest_client_at(config: RunConfig, site: Site, cache: TrainingCache) -> HonestClient:
    device = training_device(config.training.device)
    if not site.knows_task:  # and says no more than who it is
        make_model: Callable[[], nn.Module] = nn.Identity
        inputs, labels = torch.empty(0), torch.empty(0, dtype=torch.long)
    else:
        task = task_at(config, site)
        network = network_of(config.training.network, task)
        make_model = partial(make_network, network, task.input_shape, task.num_classes)
        # A site's own data are all its own; others have their share of the run's.
        if site.data_dir:
            inputs, labels = task.train.as_inputs(device)
        else:
            inputs, labels = _share(config.partitioned_data, site.partition_id, device)
    return HonestClient(
        make_model,
        inputs,
        labels,
        local_training(config.training),
        partition_id=site.partition_id,
        seed=config.seed,
        cache=cache,
    )


@functools.lru_cache(maxsize=32)
def _share(data: PartitionedData, client: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return a client's share of the data: a small federation's keep theirs from message to message."""
    return client_samples(data, client).as_inputs(device)


def _own_test(config: RunConfig, site: Site) -> tuple[Tensor, Tensor]:
    """Return the test samples of the kind that a simulated client has."""
    task = task_at(config, site)
    group = MINORITY if site.partition_id in config.minority_clients else MAJORITY
    own = group_tests(config.data.minority, task).get(group, task.test)
    return own.as_inputs(training_device(config.training.device))


app = make_client_app()
