"""Real SuperNodes with tables of their own: a CSV file, one of another kind, one that lacks a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pawbrofl_app.engines.loopback_federation import LoopbackFederation
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.settings.command_line import read_settings

READER = """
from pathlib import Path
import pandas as pd, torch
from pawbrofl_app.tasks.task import Samples, Task

def load(folder: Path) -> Task:
    rows = pd.read_json(folder / "people.json")
    inputs = torch.tensor(rows[["height", "weight"]].to_numpy() / 100, dtype=torch.float32)
    inputs = torch.cat([inputs, torch.zeros(len(rows), 2)], 1)
    own = Samples(inputs, torch.from_numpy(rows["ill"].to_numpy()))
    return Task(own, own)
"""


def people(size: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    height, weight = random.normal(170, 10, size), random.normal(70, 10, size)
    ward = random.choice(["north", "south"], size)
    ill = (weight - 0.4 * height + 5 * (ward == "south") > 0).astype(int)
    return pd.DataFrame({"height": height, "weight": weight, "ward": ward, "ill": ill})


@pytest.mark.long
@pytest.mark.slow
def test_sites_train_on_tables_of_their_own_and_what_one_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, csv, json, lacks = (tmp_path / name for name in ("server", "csv", "json", "lacks"))
    for folder in (server, csv, json, lacks):
        folder.mkdir()
    people(400, 0).to_csv(server / "reference.csv", index=False)
    people(300, 1)[["ill", "ward", "weight", "height"]].to_csv(csv / "ours.csv", index=False)
    people(200, 2).to_json(json / "people.json")
    people(200, 3).drop(columns="weight").to_csv(lacks / "train.csv", index=False)
    (tmp_path / "site_reader.py").write_text(READER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")

    results = tmp_path / "run"
    given = f"dataset='csv(label=ill)' data-dir='{server}' results-dir='{results}' attack='none' "
    given += "num-clients=3 num-rounds=2 epsilon=0.2 min-fit-clients=2 mu=0.5 figures=false"
    config = read_settings([given], tmp_path)
    nodes = [f'data-dir="{csv}"', f'data-dir="{json}" dataset="site_reader:load"', f'data-dir="{lacks}"']
    with LoopbackFederation(tmp_path / "federation") as federation:
        federation.start_superlink()
        for client, told in enumerate(nodes):
            federation.register_supernode(f"site-{client}")
            federation.start_supernode(f"site-{client}", f"partition-id={client} {told}")
        log, _ = federation.run_app(config).communicate(timeout=1200)
    run = RunFolder(results)
    assert run.is_finished, log
    rows = run.clients
    trained = rows[rows["left_out"] == ""]
    assert trained.groupby("client")["num_examples"].apply(list).to_dict() == {
        "0": [300, 300],
        "1": [200, 200],
    }
    missing = rows[rows["left_out"] != ""]
    assert len(missing) == 2
    assert missing["left_out"].str.contains("column 'weight' is missing").all()
    assert missing["left_out"].str.contains(str(lacks / "train.csv")).all()
    assert run.rounds["test_accuracy"].iloc[-1] > run.rounds["test_accuracy"].iloc[0]
