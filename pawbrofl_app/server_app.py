"""The ServerApp: checks the settings, trains with PAwBRoFL, evaluates, and writes the records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from logging import ERROR, INFO, WARNING
from typing import Any

import torch
from flwr.common import (
    Context,
    NDArrays,
    Parameters,
    Scalar,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.logger import log
from flwr.server.strategy import FedAvg, Strategy
from flwr.serverapp import Grid, ServerApp
from threadpoolctl import threadpool_limits
from torch import nn

from clients.local_evaluation import mean_loss
from clients.local_training import LocalTraining, train
from clients.model_arrays import arrays_of, load_arrays, statistics_in
from report import LivePage
from strategies import FairAveraging, FLTrust, PAwBRoFL
from strategies.branch_state import MAIN

from .baselines import baseline
from .method import Method, method_of
from .records.checkpoint import Checkpoint, CheckpointFolder
from .records.opening import open_records
from .records.personal_model_measures import PersonalModelMeasures
from .records.run_figures import draw_figures
from .records.summary import RunSummary, described
from .records.writer import RunWriter
from .roles import evaluated_backdoor, malicious_clients, too_many_malicious
from .rounds.client_names import is_simulation, vouching_in
from .rounds.client_sampling import CLIENT_ID_KEY, SeededClientManager
from .rounds.exchange import Exchange
from .rounds.flow_control import flow_control_of
from .rounds.personal_models import PersonalModels
from .rounds.round_policy import RoundPolicy
from .rounds.training_loop import TrainingLoop
from .settings.machine_check import check_machine
from .settings.run_config import RunConfig
from .tasks.datasets import load_task
from .tasks.devices import training_device
from .tasks.evaluation import accuracy
from .tasks.minorities import group_tests
from .tasks.networks import initial_model_of
from .tasks.partitions import root_samples
from .tasks.task_form import FORM, TaskForm

app = ServerApp()
NO_MORE: Mapping[str, Scalar] = {}


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run one federated training from the run config to the finished records."""
    serve(grid, RunConfig.parse(context.run_config))


def serve(grid: Grid, config: RunConfig, method: Method | None = None) -> None:
    """Run one federated training, aggregating by a method; by default the one that the settings name."""
    method = method_of(config) if method is None else method
    method = replace(method, vouching=vouching_in(config, grid))
    check_machine(config)
    malicious = malicious_clients(config)
    if warning := too_many_malicious(config):
        log(WARNING, warning)
    with closing(open_records(config, malicious)) as records:
        log(INFO, "Results go to %s", records.run.path)
        if records.run.is_finished:
            log(INFO, "The run in %s is finished, there is nothing to resume", records.run.path)
            return
        checkpoints = CheckpointFolder(records.run.checkpoints_path)
        loop = make_training_loop(grid, config, records, checkpoints, method)
        # More threads win little for an aggregation, and lose a lot where other runs use the cores.
        with threadpool_limits(1, "blas"):
            parameters = loop.run(config.federation.num_rounds)
        save_branches(config, records, loop.strategy)
        finish(config, records, malicious, parameters_to_ndarrays(parameters))
        checkpoints.remove()


def make_training_loop(
    grid: Grid,
    config: RunConfig,
    records: RunWriter,
    checkpoints: CheckpointFolder,
    method: Method,
) -> TrainingLoop:
    """Return the loop, ready for the run's first round or the one after its last checkpoint."""
    resume_from = checkpoints.newest() if config.results.resume else None
    if config.results.resume:
        records.cut_back({} if resume_from is None else resume_from.record_lengths)

    def save(checkpoint: Checkpoint) -> None:
        last = checkpoint.server_round == config.federation.num_rounds
        due = config.results.checkpoint_every and (
            last or checkpoint.server_round % config.results.checkpoint_every == 0
        )
        lengths = records.lengths
        if due and lengths is not None:
            personal = {} if personal_models is None or last else personal_models.fetch()
            checkpoints.save(replace(checkpoint, record_lengths=lengths, personal_models=personal))

    page = LivePage(records.run.path) if config.results.figures else None

    def after_round(checkpoint: Checkpoint) -> None:
        save(checkpoint)
        if page is not None:
            page.after_round()

    initial_arrays = arrays_of(initial_model(config))
    round_timeout = config.rounds.round_timeout or None
    exchange = Exchange(grid, flow_control_of(grid))
    clients = SeededClientManager(exchange, config.seed, round_timeout)
    personal_models = None
    if config.training.ditto is not None:
        personal_models = PersonalModels(exchange, clients, round_timeout)
    return TrainingLoop(
        exchange=exchange,
        clients=clients,
        strategy=make_strategy(config, records, initial_arrays, method, _told_to_sites(config, grid)),
        policy=RoundPolicy(
            config.federation.num_clients,
            config.rounds.start_timeout,
            config.needed_replies,
            config.rounds.round_attempts,
            round_timeout,
            config.federation.evaluate_every,
        ),
        resume_from=resume_from,
        personal_models=personal_models,
        on_failures=records.add_failures,
        on_evaluations=records.add_evaluations,
        after_round=after_round,
    )


def _told_to_sites(config: RunConfig, grid: Grid) -> dict[str, Scalar]:
    """Return what clients are told beside the round: the task's form, as sites may have own data."""
    if is_simulation(grid):
        return {}
    return {FORM: TaskForm.of(load_task(config.data.dataset, config.data.data_dir)).as_json()}


def initial_model(config: RunConfig) -> nn.Module:
    """Return the model that a run starts with."""
    task = load_task(config.data.dataset, config.data.data_dir)
    return initial_model_of(config.seed, config.training.network, task)


def make_strategy(
    config: RunConfig,
    records: RunWriter,
    initial_arrays: NDArrays,
    method: Method,
    told: Mapping[str, Scalar] = NO_MORE,
) -> FedAvg:
    """Return the strategy of settings and method, recording and evaluating every round.

    Clients are told the round, and whatever else there is to tell.
    """
    model = initial_model(config)
    device = training_device(config.training.device)
    task = load_task(config.data.dataset, config.data.data_dir)
    inputs, labels = task.test.as_inputs(device)
    backdoor = evaluated_backdoor(config.threat, task)
    tests_of_groups = {
        group: own.as_inputs(device) for group, own in group_tests(config.data.minority, task).items()
    }
    model.to(device)
    strategy: FedAvg

    def accuracies_of_groups() -> dict[str, float]:
        return {group: accuracy(model, *own) for group, own in tests_of_groups.items()}

    def evaluate_round(
        server_round: int, arrays: NDArrays, _: dict[str, Scalar]
    ) -> tuple[float, dict[str, Scalar]]:
        started = time.perf_counter()
        load_arrays(model, arrays)
        result = method.evaluate(model, inputs, labels, backdoor, task.test.groups)
        by_model = {MAIN: accuracies_of_groups()}
        if tests_of_groups:
            for number, parameters in branch_models(strategy).items():
                load_arrays(model, parameters_to_ndarrays(parameters))
                by_model[number] = accuracies_of_groups()
        records.add_groups(server_round, by_model)
        records.add_subgroups(server_round, result.subgroups)
        records.add_round(server_round, result, time.perf_counter() - started)
        return result.loss, {
            "accuracy": result.accuracy,
            "attack_success_rate": result.attack_success_rate,
        }

    samples = root_samples(config.partitioned_data) if config.data.root_data else []
    root = [own.as_inputs(device) for own in samples]

    def root_loss(arrays: NDArrays) -> float:
        load_arrays(model, arrays)
        losses = [len(classes) * mean_loss(model, own, classes) for own, classes in root]
        return sum(losses) / config.data.root_data

    def trained_on_root_data(arrays: NDArrays) -> NDArrays:
        load_arrays(model, arrays)
        inputs, classes = (torch.cat(parts) for parts in zip(*root, strict=True))
        settings = config.training
        own = LocalTraining(settings.local_epochs, settings.batch_size, settings.learning_rate)
        own = replace(own, momentum=settings.momentum, weight_decay=settings.weight_decay)
        train(model, inputs, classes, own, torch.Generator().manual_seed(config.seed))
        return arrays_of(model)

    weighting = method.weighting
    if isinstance(weighting, FLTrust):
        weighting = replace(weighting, root=trained_on_root_data)
    flower_options: dict[str, Any] = {
        "fraction_fit": config.federation.fraction_fit,
        "fraction_evaluate": config.federation.fraction_evaluate,
        "min_fit_clients": 1,
        "min_evaluate_clients": 1,
        "min_available_clients": config.needed_replies,
        "initial_parameters": ndarrays_to_parameters(initial_arrays),
        "evaluate_fn": evaluate_round,
        "on_fit_config_fn": lambda server_round: {"server_round": server_round, **told},
        "on_evaluate_config_fn": lambda server_round: {"server_round": server_round, **told},
    }
    if method.fair is not None:
        strategy = FairAveraging(
            method.fair,
            server_learning_rate=config.server_step.server_learning_rate,
            client_id_key=CLIENT_ID_KEY,
            on_round=records.add_clients,
            **flower_options,
        )
    elif weighting is None:
        strategy = baseline(
            config.aggregation.aggregator,
            config.aggregation.epsilon,
            client_id_key=CLIENT_ID_KEY,
            on_round=records.add_clients,
            **flower_options,
        )
    else:
        strategy = PAwBRoFL(
            epsilon=config.aggregation.epsilon,
            weighting=weighting,
            performance=method.performance,
            server_learning_rate=config.server_step.server_learning_rate,
            learning_threshold=config.server_step.learning_threshold,
            block_size=config.server_step.block_size or None,
            branches=config.aggregation.branches,
            not_in_gramian=statistics_in(model),
            vouched=method.vouching,
            root_loss=root_loss if root and not isinstance(weighting, FLTrust) else None,
            client_id_key=CLIENT_ID_KEY,
            on_round=records.add_clients,
            **flower_options,
        )
    return strategy


def branch_models(strategy: Strategy) -> dict[int, Parameters]:
    """Return the model of each branch by its number, if there are any."""
    return strategy.branch_models() if isinstance(strategy, PAwBRoFL) else {}


def save_branches(config: RunConfig, records: RunWriter, strategy: Strategy) -> None:
    """Save the model of each branch, if there are any."""
    for number, parameters in branch_models(strategy).items():
        model = initial_model(config)
        load_arrays(model, parameters_to_ndarrays(parameters))
        records.save_model(model, number)


def finish(config: RunConfig, records: RunWriter, malicious: list[int], arrays: NDArrays) -> None:
    """Save the final model, draw the figures if asked to, write the summary and log it.

    Raises
    ------
    RuntimeError
        Where no client's reply arrived in any round.
    ResultsElsewhere
        Where the results folder cannot be written to.
    """
    model = initial_model(config)
    load_arrays(model, arrays)
    records.save_model(model)
    rounds, clients, groups = records.rounds, records.clients, records.groups
    if clients.empty:
        raise RuntimeError("no client's reply arrived in any round; the log above says why")
    if config.results.figures:
        try:
            draw_figures(rounds, clients, groups, records.run.figures_path, described(config))
        except OSError as problem:
            log(ERROR, "the figures could not be drawn: %s", problem)
    summary = RunSummary.of(
        rounds,
        clients,
        groups,
        malicious,
        config.minority_clients,
        PersonalModelMeasures.of(records.evaluations),
        records.subgroups,
    )
    log(INFO, "")
    log(INFO, "[RESULT]")
    for line in summary.lines(config, records.run.path):
        log(INFO, "\t%s", line)
    records.save_summary(summary)
    if config.results.figures:
        LivePage(records.run.path).at_end()
