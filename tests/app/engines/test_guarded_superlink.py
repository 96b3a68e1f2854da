"""The control interface of a run's SuperLink: with its token it obeys, without it nobody is heard."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from flwr.common.constant import ACCESS_TOKEN_KEY

from pawbrofl_app.engines.flower_programs import (
    CONNECTION,
    flower_environment,
    installed_program,
    local_superlink,
)
from pawbrofl_app.engines.guarded_superlink import TOKEN, TokenRequired, require_token

SECRET = "a1" * 32
CONTROL = "/v1/control/"
LOGIN = {CONTROL + name for name in ("get-login-details", "get-auth-tokens", "refresh-auth-tokens")}


@pytest.fixture
def superlink(monkeypatch: pytest.MonkeyPatch) -> httpx.ASGITransport:
    """Flower's SuperLink, in this process."""
    from flwr.superlink import config_loader
    from flwr.superlink.main import create_app

    monkeypatch.setattr(config_loader, "get_control_authn_ee_plugins", dict)
    monkeypatch.setenv("FLWR_OIDC_ENABLED", "0")
    monkeypatch.setenv(TOKEN, SECRET)
    require_token()
    return httpx.ASGITransport(create_app(), raise_app_exceptions=False)


def answers(
    superlink: httpx.ASGITransport, method: str, paths: Sequence[str], authorization: str = ""
) -> list[httpx.Response]:
    headers = {"Authorization": authorization} if authorization else {}

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=superlink, base_url="http://run") as client:
            return [await client.request(method, path, headers=headers) for path in paths]

    return asyncio.run(ask())


@pytest.mark.mostly_slow(5)
@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer " + "0" * 64, f"Basic {SECRET}", f"Bearer {SECRET}0"]
)
def test_without_the_token_every_request_to_the_control_interface_is_refused(
    superlink: httpx.ASGITransport, given: str
) -> None:
    (described,) = answers(superlink, "GET", ["/openapi.json"])
    paths = [path for path in described.json()["paths"] if CONTROL in path]
    assert {CONTROL + name for name in ("start-run", "stop-run", "register-node")} | LOGIN <= {*paths}
    for path, answer in zip(paths, answers(superlink, "POST", paths, given), strict=True):
        assert answer.status_code >= 400
        assert answer.status_code == 401 or path in LOGIN
        assert SECRET.encode() not in answer.content


def test_with_the_token_a_request_is_heard(superlink: httpx.ASGITransport) -> None:
    (answer,) = answers(superlink, "POST", [CONTROL + "list-runs"], f"Bearer {SECRET}")
    assert answer.status_code != 401


def test_what_is_no_token_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)
    guard = TokenRequired()
    assert guard.validate_tokens_in_metadata([(ACCESS_TOKEN_KEY, SECRET)])[0]
    for given in ([], [("other", SECRET)], [(ACCESS_TOKEN_KEY, "é")], [(ACCESS_TOKEN_KEY, b"\xff")]):
        assert guard.validate_tokens_in_metadata(given) == (False, None)


@pytest.mark.slow
def test_only_who_reads_the_runs_folder_can_command_its_superlink(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    for folder in (home, elsewhere):
        folder.mkdir()
    environment = flower_environment(home)
    outside = {name: value for name, value in os.environ.items() if name != TOKEN}

    def runs(flower_home: Path) -> subprocess.CompletedProcess[str]:
        command = [installed_program("flwr"), "ls", CONNECTION]
        environment = outside | {"FLWR_HOME": str(flower_home)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    with local_superlink(home, environment):
        (elsewhere / "config.toml").write_text((home / "config.toml").read_text())
        assert (home / "credentials.yaml").stat().st_mode & 0o077 == 0
        owner, other = runs(home), runs(elsewhere)
    assert owner.returncode == 0, owner.stderr
    assert other.returncode != 0
    assert "uthentica" in other.stderr + other.stdout
