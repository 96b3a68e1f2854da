"""Settings that are random bytes or values: one clear error, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pawbrofl_app.command import main
from pawbrofl_app.settings.command_line import read_settings
from pawbrofl_app.settings.run_config import InvalidSetting, RunConfig

SMALL = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@given(content=st.one_of(st.binary(max_size=100), st.text(max_size=60).map(str.encode)))
@SMALL
def test_random_bytes_are_no_settings(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fuzz.toml").write_bytes(content + b"\n[[broken")
    with pytest.raises(InvalidSetting, match=r"fuzz\.toml"):
        read_settings(["fuzz.toml"], tmp_path)


def test_a_damaged_file_is_one_line_of_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fuzz.toml").write_bytes(b"\xff\x00\n[[broken")
    assert main(["run", "--run-config", str(tmp_path / "fuzz.toml")]) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("error: ")
    assert "fuzz.toml" in errors
    assert errors.count("\n") == 1


@given(data=st.data())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_is_a_setting_or_named(defaults: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(defaults)))
    value = data.draw(VALUES)
    problem = ""
    try:
        kept = RunConfig.parse(defaults | {name: value}).as_settings()[name]
        # A number is kept as a double, which not every whole number above 2^53 is.
        assert kept == (float(value) if isinstance(kept, float) else value)
    except InvalidSetting as invalid:
        problem = str(invalid)
    assert not problem or name in problem or "trigger" in problem


@given(st.dictionaries(st.text(max_size=15), VALUES, max_size=5))
@SMALL
def test_any_other_settings_are_refused(defaults: dict[str, Any], other: dict[str, Any]) -> None:
    unknown = {name: value for name, value in other.items() if name not in defaults}
    if unknown:
        with pytest.raises(InvalidSetting, match="unknown setting"):
            RunConfig.parse(defaults | unknown)
