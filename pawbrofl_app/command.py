"""``pawbrofl``: runs of this app with everything around them set up and cleaned away.

- ``pawbrofl run`` simulates a federation: it checks the settings first, starts a SuperLink of its own on
  loopback that uses the installed environment, asks for as many SuperNodes as the run has clients,
  streams the log, and stops the SuperLink. ``flwr run .`` does the same with your own SuperLink
  connection and settings.
- ``pawbrofl resume`` goes on with a run that was interrupted.
- ``pawbrofl federation`` starts real SuperNodes on this machine, with TLS and authentication.
- ``pawbrofl report`` and ``pawbrofl compare`` make pages of runs.
- ``pawbrofl settings``, ``attacks`` and ``aggregators`` say what can be chosen.

The exit status is 0 where all went well, 1 where a run failed, 2 for what the user can mend (the message
says how), 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attacks.named_object import is_own
from report import report_command

from .records.reserved_folder import reserved_folder
from .records.resumption import check_resumable
from .records.run_folder import RunFolder, UnreadableRun
from .records.versions import versions
from .settings.command_line import APP_FOLDER, as_pair, at_least, read_settings
from .settings.machine_check import check_machine
from .settings.run_config import InvalidSetting, RunConfig

INTERRUPTED = 130
LOOPBACK_SETTINGS = APP_FOLDER / "deployment" / "loopback.toml"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 2 for what the user can mend."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if given and given[0] in report_command.PAGE_COMMANDS:
        return report_command.main(given)
    options = command_parser().parse_args(given)
    if "show" in options:
        return _show(options)
    sys.path.append(str(Path.cwd()))  # last, so that nothing of the app is hidden
    try:
        config = _checked(options)
        _share_modules(config)
        if _is_finished(config):
            print(f"the run in {config.results.results_dir} is finished, there is nothing to resume")
            return 0
        with reserved_folder(config, Path.cwd() / "results") as reserved:
            return _run(reserved, options)
    except InvalidSetting as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return INTERRUPTED


def _show(options: argparse.Namespace) -> int:
    try:
        print(options.show(options), flush=True)
    except InvalidSetting as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _checked(options: argparse.Namespace) -> RunConfig:
    """Return the settings, with nothing amiss that can be known before the run.

    Raises
    ------
    InvalidSetting
        For what is amiss.
    """
    try:
        config: RunConfig = options.read(options)
        if config.results.results_dir and Path(config.results.results_dir).exists():
            check_resumable(config)
        if not _is_finished(config):
            check_machine(config)
    except (OSError, RuntimeError) as problem:
        raise InvalidSetting(str(problem)) from problem
    return config


def _is_finished(config: RunConfig) -> bool:
    return bool(config.results.results_dir) and RunFolder(config.results.results_dir).is_finished


def _run(config: RunConfig, options: argparse.Namespace) -> int:
    try:
        return int(options.run(config, options))
    except KeyboardInterrupt:
        folder = config.results.results_dir
        if RunFolder(folder).is_run:
            print(f"stopped; pawbrofl resume {folder} goes on", file=sys.stderr)
            return INTERRUPTED
        raise


def _share_modules(config: RunConfig) -> None:
    """Have the processes of a run find modules of somebody's own where this one does."""
    named = config.data.dataset, config.training.network, config.aggregation.aggregator
    if any(map(is_own, (*named, config.threat.attack, config.results.tracker))):
        found = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, found), str(Path.cwd())])


def command_parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    parser = argparse.ArgumentParser(prog="pawbrofl", description=__doc__.split("\n")[0])
    parser.add_argument("--version", action="version", version=_versions())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="simulate one federation")
    _add_settings(run)
    _add_engine(run)
    run.set_defaults(read=_settings_given, run=_simulate)
    resume = commands.add_parser("resume", help="go on with a run that was interrupted")
    resume.add_argument("folder", help="the run's results folder")
    _add_engine(resume)
    resume.set_defaults(read=_settings_recorded, run=_simulate)
    federation = commands.add_parser(
        "federation",
        help="run one on real SuperNodes on this machine, with TLS and authentication; the settings of "
        "deployment/loopback.toml are given beforehand",
    )
    _add_settings(federation)
    federation.set_defaults(read=_settings_on_loopback, run=_run_federation)
    report_command.add_page_commands(commands)
    _add_listings(commands)
    return parser


def _add_listings(commands: Any) -> None:
    from . import listings

    settings = commands.add_parser("settings", help="all settings: default, what is allowed, and help")
    settings.add_argument("name", nargs="*", help="only these")
    settings.set_defaults(show=lambda options: listings.setting_list(options.name))
    attacks = commands.add_parser("attacks", help="all attacks, with their parameters")
    attacks.set_defaults(show=lambda _: listings.attack_list())
    aggregators = commands.add_parser("aggregators", help="all aggregators")
    aggregators.set_defaults(show=lambda _: listings.aggregator_list())
    shells = ("bash", "zsh", "tcsh")
    completion = commands.add_parser(
        "completion", help="a script that completes this command in a shell"
    )
    completion.add_argument("shell", choices=shells)
    completion.set_defaults(show=lambda options: _completion(options.shell))


def _versions() -> str:
    found = versions()
    own = found.pop("pawbrofl")
    return f"pawbrofl {own} (" + ", ".join(f"{name} {one}" for name, one in found.items()) + ")"


def _completion(shell: str) -> str:
    import shtab

    return str(shtab.complete(command_parser(), shell))


def _add_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--run-config",
        "-c",
        action="append",
        default=[],
        metavar="SETTINGS",
        help="a TOML file, or settings such as 'mu=0.1 aggregator=\"filtering\"'; may be repeated, "
        "later ones win",
    )
    command.add_argument(
        "--set",
        action="append",
        type=as_pair,
        dest="run_config",
        metavar="NAME=VALUE",
        help="one setting, such as mu=0.1 or aggregator=filtering; may be repeated. `pawbrofl settings` "
        "lists them",
    )


def _add_engine(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--engine",
        choices=("ray", "in-process"),
        default="ray",
        help="Flower's Ray simulation, or all clients one after the other in this process: the same "
        "numbers without Flower's services",
    )
    command.add_argument(
        "--client-resources-num-cpus",
        type=at_least(1),
        metavar="N",
        help="processors for each client that trains; by default one, or more where clients are few or "
        "memory is short",
    )
    command.add_argument(
        "--client-resources-num-gpus",
        type=at_least(0, float),
        metavar="X",
        help="share of a GPU for each client that trains; by default a tenth or more of one",
    )


def _settings_given(options: argparse.Namespace) -> RunConfig:
    return read_settings(options.run_config, Path.cwd())


def _settings_on_loopback(options: argparse.Namespace) -> RunConfig:
    return read_settings([str(LOOPBACK_SETTINGS), *options.run_config], Path.cwd())


def _settings_recorded(options: argparse.Namespace) -> RunConfig:
    run = RunFolder(Path.cwd() / options.folder)
    return RunConfig.parse(run.settings | {"results-dir": str(run.path), "resume": True})


def _simulate(config: RunConfig, options: argparse.Namespace) -> int:
    if options.engine == "ray":
        from .engines.ray_simulation import simulate

        return simulate(config, options.client_resources_num_cpus, options.client_resources_num_gpus)
    from .in_process_run import run_in_this_process
    from .records.buffered_folder import ResultsElsewhere
    from .rounds.training_loop import TooFewReplies

    try:
        run_in_this_process(config)
    except (TooFewReplies, ResultsElsewhere, UnreadableRun) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    return 0


def _run_federation(config: RunConfig, _: argparse.Namespace) -> int:
    from pawbrofl_app.engines.loopback_federation import run_federation

    return run_federation(config)


if __name__ == "__main__":
    sys.exit(main())
