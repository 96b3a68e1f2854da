"""Which clients are malicious, what each of them does, and what they know of each other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from attacks import NO_ATTACK, Attack, Backdoor
from attacks.draw import draw_malicious
from clients.collusion import Collusion
from clients.honest import HonestClient
from strategies.epsilon import max_malicious

from .settings.node_config import Site
from .settings.run_config import InvalidSetting, RunConfig
from .settings.threat_settings import ThreatSettings
from .tasks.datasets import load_task
from .tasks.own_data import load_own_task
from .tasks.partitions import PartitionedData, samples_beside
from .tasks.task import Task

LIKELY = 0.01
"""A probability, in each round, from which more malicious clients than epsilon are warned of."""


def malicious_clients(config: RunConfig) -> list[int]:
    """Return the malicious clients' partition ids, ascending; a draw that the run's seed fixes."""
    return draw_malicious(config.seed, config.federation.num_clients, config.num_malicious)


def task_at(config: RunConfig, site: Site) -> Task:
    """Return the run's task, with a site's own data where it has any.

    Raises
    ------
    DataUnavailable
        Where it cannot be read.
    """
    if site.data_dir:
        return load_own_task(site.data_dir, site.dataset or config.data.dataset, site.form)
    return load_task(config.data.dataset, config.data.data_dir)


def too_many_malicious(config: RunConfig) -> str:
    """Return a warning where rounds are likely to have more malicious clients than epsilon; else "".

    Of the M malicious ones among N clients, n of which a round draws, it has X by the hypergeometric
    distribution; the aggregator withstands f of n.
    """
    from scipy.stats import hypergeom  # a second that clients, who import this module, can do without

    clients, drawn = config.federation.num_clients, config.federation.num_fit_clients
    epsilon, num_rounds = config.aggregation.epsilon, config.federation.num_rounds
    withstood = max_malicious(epsilon, drawn)
    in_a_round = float(hypergeom(clients, config.num_malicious, drawn).sf(withstood))
    if in_a_round < LIKELY or not config.aggregation.has_epsilon:
        return ""
    in_some_round = 1 - (1 - in_a_round) ** num_rounds
    return (
        f"epsilon {epsilon:g} withstands {withstood} malicious clients of the {drawn} that train in a "
        f"round; as {config.num_malicious} of all {clients} are malicious, a round has more with "
        f"probability {in_a_round:.2g} and some of {num_rounds} rounds with {in_some_round:.2g}"
    )


def attack_of(config: RunConfig, site: Site) -> Attack | None:
    """Return the attack of one client, or None for an honest one.

    Raises
    ------
    InvalidSetting
        Where a node config says malicious, but the run has no attack.
    """
    if not site.attacks(drawn=site.partition_id in malicious_clients(config)):
        return None
    if config.threat.attack == NO_ATTACK:
        raise InvalidSetting("attack must name one where a node config says malicious, got 'none'")
    attackers = _attackers(config, site.partition_id)
    place = attackers.index(site.partition_id)
    if site.data_dir:
        task = task_at(config, site)
        return config.threat.attack_of(place, task).with_data(task.train.inputs_of_class)
    return _attack_on(config.partitioned_data, config.threat, place, tuple(attackers))


@functools.lru_cache(maxsize=32)
def _attack_on(
    data: PartitionedData, threat: ThreatSettings, place: int, attackers: tuple[int, ...]
) -> Attack:
    """Return an attacker's attack; what it takes along is looked for once, and not for each message."""
    attack = threat.attack_of(place, load_task(data.dataset, data.data_dir))
    return attack.with_data(lambda label: samples_beside(data, attackers).inputs_of_class(label))


def _attackers(config: RunConfig, partition_id: int) -> list[int]:
    """Return the malicious clients, this one among them though its node config alone may say so."""
    return sorted({*malicious_clients(config), partition_id})


def collusion_of(
    config: RunConfig, partition_id: int, honest_client: Callable[[int], HonestClient]
) -> Collusion:
    """Return what a malicious client knows of the others.

    Parameters
    ----------
    config : RunConfig
    partition_id : int
        Of a malicious client.
    honest_client : callable
        Returns any client, by its partition id, as it would be if it were honest.
    """
    malicious = _attackers(config, partition_id)
    known = malicious
    if config.threat.omniscient_attackers:
        known = [client for client in range(config.federation.num_clients) if client not in malicious]

    def known_clients() -> Sequence[HonestClient]:
        return [honest_client(client) for client in known]

    return Collusion(
        malicious.index(partition_id), len(malicious), config.federation.num_clients, known_clients
    )


def evaluated_backdoor(threat: ThreatSettings, task: Task) -> Backdoor | None:
    """Return the backdoor by which the attack's success is measured.

    That of the attack; without any, that of the settings, which nobody trains, for comparison. None
    where the task's inputs have no trigger.
    """
    attacked = None if threat.attack == NO_ATTACK else threat.attack_of(0, task).backdoor
    if attacked is None and task.trigger is None and not task.train.are_images:
        return None
    return attacked or threat.backdoor_in(task)
