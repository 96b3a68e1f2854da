"""Study files: what cells they make, and what is said of a wrong one."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.grid.study import InvalidStudy, Study, names

GRID = """
title = "t"
seeds = 2
[settings]
num-rounds = 3
[[grid]]
attack = ["none", "dba"]
aggregator = ["mean"]
[[grid]]
attack = ["dba"]
aggregator = ["filtering", "no-regret"]
mu = [0.01, 1.0]
"""


def study(tmp_path: Path, content: str, seeds: int | None = None) -> Study:
    path = tmp_path / "mine.toml"
    path.write_text(content)
    return Study.load(str(path), seeds)


def test_a_study_is_the_union_of_its_grids_for_every_seed(tmp_path: Path) -> None:
    loaded = study(tmp_path, GRID)
    assert loaded.name == "mine"
    assert loaded.varied == ("attack", "aggregator", "mu")
    assert len(loaded.cells) == 2 * (2 + 4)
    assert [cell.config.seed for cell in loaded.cells] == [1] * 6 + [2] * 6
    assert {cell.config.federation.num_rounds for cell in loaded.cells} == {3}
    assert len(study(tmp_path, GRID, seeds=5).cells) == 30


def test_cells_have_distinct_legible_names_that_settings_decide(tmp_path: Path) -> None:
    names_before = [cell.name for cell in study(tmp_path, GRID).cells]
    assert len(set(names_before)) == 12
    assert names_before[2].startswith("dba-filtering-mu=0.01-seed1-")
    assert names_before == [cell.name for cell in study(tmp_path, GRID).cells]
    longer = study(tmp_path, GRID.replace("num-rounds = 3", "num-rounds = 4"))
    assert not set(names_before) & {cell.name for cell in longer.cells}


@pytest.mark.parametrize("name", names())
def test_our_studies_are_valid(name: str) -> None:
    assert Study.load(name, seeds=1).cells


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("grids = 1", "unknown part 'grids': known are title, preset, seeds, settings, grid"),
        (
            "preset = 'cifar'",
            "preset must be one of as-published, digits, digits-dirichlet, ",
        ),
        ("seeds = 0", "seeds must be a whole number of at least 1, got 0"),
        ("[[grid]]\nmu = 3", "must hold lists of at least one value"),
        ("[[grid]]\nmu = [-1.0]", "mu must be above 0, got -1.0"),
        ("[settings]\nmuh = 1", "unknown setting 'muh': did you mean 'mu'?"),
        ("seeds = ", "mine.toml"),
    ],
)
def test_what_is_wrong_is_named_together_with_the_file(
    tmp_path: Path, content: str, message: str
) -> None:
    with pytest.raises(InvalidStudy) as error:
        study(tmp_path, content)
    assert message in str(error.value)
    assert "mine.toml" in str(error.value)


def test_an_unknown_study_is_named_with_the_known_ones() -> None:
    with pytest.raises(InvalidStudy, match=r"one of as-published.*default-attack.*got 'defualt'"):
        Study.load("defualt")
