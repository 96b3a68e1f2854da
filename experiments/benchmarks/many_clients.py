"""A thousand clients on digits for twenty rounds: seconds a round, and whether memory stays flat.

    python -m experiments.benchmarks.many_clients [--engine ray] [--network cnn] [--rounds 20]
    python -m experiments.benchmarks.many_clients --preset ten-thousand-clients [--engine ray]

Prints a table, and draws the resident memory of the server's process and of the largest actor after each
round into experiments/recorded/figures/memory_of_1000_clients.png. By default the paper's network; one
epoch over the one or two images that a client has, the default attack and aggregator. With a preset its
settings, the seconds from the start until the first round begins, and no figure.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import psutil
from matplotlib.figure import Figure

from experiments.grid.markdown import markdown_table
from experiments.grid.study import PRESETS
from experiments.pages.page import FIGURES, RECORDED
from pawbrofl_app.engines.machine import ACTOR_NAME
from pawbrofl_app.records.layout import SECONDS
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.tasks.networks import NETWORKS

FIGURE = RECORDED / FIGURES / "memory_of_1000_clients.png"
SERVER_PROCESSES = {"ray": "flwr-simulation", "in-process": "pawbrofl_app.command"}


def watch(process: subprocess.Popen[bytes], run: RunFolder, server: str) -> pd.DataFrame:
    """Return the memory of server and actors, in MB, at every look until a run ends."""
    looks, began = [], time.monotonic()
    while process.poll() is None:
        at = {"round": run.rounds_done, "at": time.monotonic() - began}
        looks.append(at | memory_of(process.pid, server))
        time.sleep(0.5)
    return pd.DataFrame(looks)


def memory_of(pid: int, server: str) -> dict[str, float]:
    """Return the resident memory in MB of the server's process and of the largest actor; 0 for none."""
    found = {"server": 0.0, "largest actor": 0.0}
    try:
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            line = " ".join(process.cmdline())
            name = "server" if server in line else "largest actor" if ACTOR_NAME in line else ""
            if name:
                found[name] = max(found[name], process.memory_info().rss / 1e6)
    except psutil.Error:  # what has just ended
        pass
    return found


def draw(memory: pd.DataFrame, clients: int) -> None:
    """Draw the memory after each round."""
    figure = Figure((6, 3.2), layout="constrained")
    axes = figure.subplots()
    for name in memory.columns:
        if memory[name].any():
            axes.plot(memory.index, memory[name], marker="o", markersize=3, label=name)
    axes.set(xlabel="round", ylabel="resident memory, MB", ylim=(0, None), title=f"{clients:,} clients")
    axes.legend()
    figure.savefig(FIGURE, dpi=120)


def main() -> None:
    """Run, print the table and draw the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--engine", choices=list(SERVER_PROCESSES), default="ray")
    parser.add_argument("--network", choices=list(NETWORKS), default="cnn")
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--preset", help="a file of presets/, without its suffix")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        settings = f"num-rounds={options.rounds} figures=false results-dir='{run.path}'"
        given = [f"num-clients={options.clients} local-epochs=1 network='{options.network}'"]
        if options.preset:
            given = [str(PRESETS / f"{options.preset}.toml")]
        command = [sys.executable, "-m", "pawbrofl_app.command", "run", "--engine", options.engine]
        for one in (*given, settings):
            command += ["--run-config", one]
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            looks = watch(process, run, SERVER_PROCESSES[options.engine])
        if process.returncode:
            raise RuntimeError((Path(folder) / "log").read_text())
        rounds = run.rounds.set_index("round")
    memory = looks[looks["round"] > 0].groupby("round").max()
    done_at = looks.groupby("round")["at"].min()
    memory = memory.drop(columns="at")
    table = rounds[SECONDS].join(memory)
    what = options.preset or f"{options.clients} clients on digits, {options.network}"
    if options.preset:
        first = rounds[SECONDS].sum(axis=1).to_dict()[1]
        print(f"the first round began after {done_at.to_dict()[1] - first:.0f} s")
    else:
        draw(memory, options.clients)
    print(f"{what}, {options.engine}\n")
    print(markdown_table(table.loc[1:].reset_index(), digits=1))


if __name__ == "__main__":
    main()
