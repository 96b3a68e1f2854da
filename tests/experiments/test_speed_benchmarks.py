"""The benchmarks of speed: what they take apart adds up, and their stand-ins are what they stand for."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.benchmarks.engine import table_of_parts, table_of_rounds
from experiments.benchmarks.idle_clients import NUM_PARAMETERS, initial_arrays
from experiments.benchmarks.idle_simulations import Measured, measure
from experiments.benchmarks.many_clients import memory_of
from experiments.benchmarks.message_cost import message_costs
from pawbrofl_app.tasks.networks import initial_model


def made_up() -> Measured:
    """Two actors, two rounds: clients hold the model 1 s each, 0.5 s apart; aggregation takes 2 s."""
    began = pd.DataFrame({"process": [1, 1, 2, 2], "began": [1.0, 2.5, 1.2, 2.7]})
    clients = began.assign(ended=began["began"] + 1)
    later = clients.assign(began=clients["began"] + 10, ended=clients["ended"] + 10)
    return Measured(
        started=-5.0,
        evaluated=[0.0, 10.0, 17.0],
        processor=[0.0, 1.0, 1.5],
        clients=[clients, later],
        aggregation=[2.0, 2.0],
    )


def test_the_parts_of_a_round_add_up_to_it() -> None:
    parts = table_of_parts([made_up()])
    assert parts["seconds"].sum() == pytest.approx(7.0)
    assert parts["seconds"].tolist() == pytest.approx([1.0, 2.0, 0.7, 1.3, 2.0])


def test_the_first_round_is_the_start_and_no_round() -> None:
    (row,) = table_of_rounds({"made up": [made_up()]}).to_dict("records")
    assert row["first round, with the start, s"] == 15.0
    assert row["a round, s"] == 7.0
    assert row["server's processor time, s"] == 0.5


def test_idle_clients_carry_the_papers_network() -> None:
    arrays = initial_arrays()
    assert sum(array.size for array in arrays) == NUM_PARAMETERS
    assert [array.shape for array in arrays] == [
        tuple(value.shape) for value in initial_model(0).state_dict().values()
    ]


def test_idle_clients_go_through_the_server_in_process() -> None:
    level = logging.getLogger("flwr").level
    try:
        measured = measure("this project, in process", 3, 2)
    finally:
        logging.getLogger("flwr").setLevel(level)
    assert len(measured.evaluated) == 3
    assert [len(clients) for clients in measured.clients] == [3, 3]
    assert np.all(np.diff(measured.evaluated) > 0)
    assert len(table_of_parts([measured])) == 5


def test_every_step_of_a_message_takes_time() -> None:
    costs = message_costs(1)
    assert len(costs) == 7
    assert (costs["ms"] > 0).all()


def test_the_memory_of_a_process_that_is_gone_is_none() -> None:
    assert memory_of(2**30, "server") == {"server": 0.0, "largest actor": 0.0}


@pytest.mark.slow
def test_the_quickstart_client_trains_the_same_network(data_dir: str) -> None:
    from experiments.benchmarks.quickstart_client import loader_of, papers_network, train

    torch.manual_seed(0)
    model = papers_network()
    first = train(model, loader_of(range(200)), 1)
    assert train(model, loader_of(range(200)), 1) < first
