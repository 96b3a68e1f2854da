"""What importing the strategies costs beyond Flower itself, and that it leaves PyTorch alone.

    python -m experiments.benchmarks.import_time

Every import runs in an interpreter of its own. Counted is the processor's time, to which it matters
little what else the machine does. A foreign project's ServerApp pays this once a run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

import pandas as pd

from pawbrofl_app.settings.command_line import APP_FOLDER

WAYS = {
    "flwr": "import flwr",
    "flwr, strategies": "import flwr, strategies",
    "FedAvg": "from flwr.server.strategy import FedAvg",
    "PAwBRoFL": "from strategies import PAwBRoFL",
    "message FedAvg": "from flwr.serverapp.strategy import FedAvg",
    "message PAwBRoFL": "from strategies.message import PAwBRoFL",
    "attacks": "import attacks",
    "flwr.clientapp": "import flwr.clientapp",
    "malicious": "import flwr.clientapp; from attacks import malicious",
    "RoundReport": "from report import RoundReport",
}
PEERS = {
    "flwr, strategies": "flwr",
    "malicious": "flwr.clientapp",
    "PAwBRoFL": "FedAvg",
    "message PAwBRoFL": "message FedAvg",
}
MEASURE = """
import sys, time
started = time.process_time()
{code}
print(time.process_time() - started, "torch" in sys.modules)
"""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    measured = [
        {name: _measure(code) for name, code in WAYS.items()} for _ in range(options.repeats + 1)
    ]
    seconds = pd.DataFrame(
        [{name: took for name, (took, _) in row.items()} for row in measured[1:]]  # the first is cold
    )
    table = pd.DataFrame({"seconds": seconds.median(), "fastest": seconds.min()})
    table["beyond Flower"] = pd.Series(
        {name: (seconds[name] - seconds[peer]).median() for name, peer in PEERS.items()}
    )
    print(table.round(3).to_string(na_rep=""))
    torch = any(imported for row in measured for _, imported in row.values())
    print(f"PyTorch was imported: {'yes' if torch else 'no'}")


def _measure(code: str) -> tuple[float, bool]:
    command = [sys.executable, "-c", MEASURE.format(code=code)]
    finished = subprocess.run(command, check=True, capture_output=True, text=True, cwd=APP_FOLDER)
    seconds, torch = finished.stdout.split()
    return float(seconds), torch == "True"


if __name__ == "__main__":
    main()
