"""How many clients train at a time, from what the machine has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from pawbrofl_app.engines import machine
from pawbrofl_app.engines.machine import ACTOR_BYTES, ActorMemory, ClientResources, Machine
from pawbrofl_app.engines.ray_simulation import federation_settings
from pawbrofl_app.settings.run_config import RunConfig

PLENTY = 100 * ACTOR_BYTES


@pytest.mark.parametrize(
    ("processors", "memory", "clients", "expected"),
    [
        (2, PLENTY, 100, (1, 2)),
        (16, PLENTY, 100, (1, 16)),
        (16, PLENTY, 5, (3, 5)),
        (16, 4.5 * ACTOR_BYTES, 100, (4, 4)),
        (2, 0.0, 100, (2, 1)),
    ],
    ids=["small", "large", "few clients", "little memory", "no memory"],
)
def test_without_a_gpu_processors_memory_and_clients_decide(
    processors: int, memory: float, clients: int, expected: tuple[int, int]
) -> None:
    chosen = ClientResources.on(Machine(processors, memory, 0), clients, "auto")
    assert (chosen.num_cpus, chosen.num_actors) == expected
    assert chosen.num_gpus == 0.0


@pytest.mark.parametrize(("limit", "expected"), [("max", None), (str(2**60), None), ("1000\n", 1000.0)])
def test_memory_is_what_is_free_within_the_containers_limit(
    limit: str, expected: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memory.max").write_text(limit)
    monkeypatch.setattr(machine, "CGROUP_LIMIT", tmp_path / "memory.max")
    free = psutil.virtual_memory().total
    assert Machine.this().memory == expected if expected else 1000 < Machine.this().memory <= free


@pytest.mark.parametrize("gpus", [1, 2, 8])
@pytest.mark.parametrize("processors", [1, 2, 7, 16, 64])
@pytest.mark.parametrize("clients", [1, 3, 100])
def test_flower_starts_the_actors_that_were_chosen(gpus: int, processors: int, clients: int) -> None:
    chosen = ClientResources.on(Machine(processors, PLENTY, gpus), clients, "auto")
    on_processors = processors // chosen.num_cpus
    on_gpus = int(gpus / chosen.num_gpus)
    assert chosen.num_actors <= min(on_processors, on_gpus)
    assert chosen.num_actors <= clients
    assert 0 < chosen.num_gpus <= 1


def test_a_gpu_is_left_alone_where_training_is_on_the_cpu() -> None:
    assert ClientResources.on(Machine(4, PLENTY, 1), 100, "cpu").num_gpus == 0.0


def test_what_is_given_wins_and_a_cluster_is_not_divided(defaults: dict[str, Any]) -> None:
    config = RunConfig.parse(defaults)
    given = federation_settings(config, 2, 0.25, on_cluster=False)
    assert given["client-resources-num-cpus"] == 2
    assert given["client-resources-num-gpus"] == 0.25
    assert given["init-args-num-cpus"] == Machine.this().processors
    on_cluster = federation_settings(config, None, None, on_cluster=True)
    assert on_cluster == {
        "num-supernodes": 20,
        "client-resources-num-cpus": 1,
        "client-resources-num-gpus": 0.0,
    }


def test_the_memory_of_actors_among_the_children_is_seen() -> None:
    waits = "import sys; print('ready', flush=True); sys.stdin.read()"
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        subprocess.Popen([sys.executable, "-c", waits, "ray::ClientAppActor.run"], **pipes) as actor,
        subprocess.Popen([sys.executable, "-c", waits, "another program"], **pipes) as other,
    ):
        for process in (actor, other):
            assert process.stdout is not None
            process.stdout.readline()
        memory = ActorMemory()
        memory.look()
        for process in (actor, other):
            process.communicate()
    assert str(memory).startswith("1 actors, of at most ")
    assert not str(memory).endswith(" 0 MB of memory each")
