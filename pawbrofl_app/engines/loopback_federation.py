"""``pawbrofl federation``: a real federation on this machine, with TLS and SuperNode authentication.

One SuperLink and one SuperNode for each client, as they would run on machines of their own: each a
program, each SuperNode with a key that was registered before. The app is submitted as it would be from
elsewhere, and everything is stopped when the run ends, fails or is interrupted.
"""

from __future__ import annotations

import contextlib
import ssl
import subprocess
import sys
from pathlib import Path

from deployment.certificates import make_server_certificate, make_supernode_key
from pawbrofl_app.engines import guarded_superlink
from pawbrofl_app.engines.flower_programs import (
    CONNECTION,
    LOOPBACK,
    Program,
    flower_environment,
    free_port,
    installed_program,
    is_healthy,
    run_command,
    stopped_by_signals,
    superlink_command,
    write_connection,
)
from pawbrofl_app.engines.watchdog import watched_home
from pawbrofl_app.records.run_folder import RunFolder
from pawbrofl_app.roles import malicious_clients
from pawbrofl_app.settings.run_config import RunConfig


class LoopbackFederation(contextlib.ExitStack):
    """A SuperLink and its SuperNodes; a context manager at whose end all of them are stopped.

    Parameters
    ----------
    folder : Path
        Keys, certificates, Flower's state and all logs go there.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.environment = flower_environment(folder)
        self.address = f"{LOOPBACK}:{free_port()}"
        self.supernodes: dict[str, Program] = {}

    def start_superlink(self) -> None:
        """Make the certificates and start the SuperLink.

        Raises
        ------
        RuntimeError
            Where it does not come up.
        """
        make_server_certificate(self.folder, [LOOPBACK, "localhost"])
        certificates = ["--ssl-certfile", str(self.folder / "superlink.crt")]
        certificates += ["--ssl-keyfile", str(self.folder / "superlink.key")]
        certificates += ["--ssl-ca-certfile", str(self.folder / "ca.crt")]
        command = superlink_command(self.address, "--enable-supernode-auth", *certificates)
        superlink = self._start(command, "superlink")
        trust = ssl.create_default_context(cafile=str(self.folder / "ca.crt"))
        superlink.wait_until(lambda: is_healthy(f"https://{self.address}", trust))
        root = str(self.folder / "ca.crt")
        token = self.environment[guarded_superlink.TOKEN]
        write_connection(self.folder, self.address, token, **{"root-certificates": root})

    def register_supernode(self, name: str) -> None:
        """Make a key for a SuperNode and register it, as an operator does for every new site.

        Raises
        ------
        RuntimeError
            Where the SuperLink refuses.
        """
        public = make_supernode_key(self.folder, name)
        done = self.flwr("supernode", "register", str(public), CONNECTION)
        if done.returncode:
            raise RuntimeError(f"{name} could not be registered:\n{done.stdout}{done.stderr}")

    def start_supernode(self, name: str, node_config: str) -> Program:
        """Start a SuperNode with the key that was made under its name."""
        command = [installed_program("flower-supernode"), "--superlink", self.address]
        command += ["--root-certificates", str(self.folder / "ca.crt")]
        command += ["--auth-supernode-private-key", str(self.folder / f"{name}.key")]
        command += ["--node-config", node_config, "--port", str(free_port())]
        self.supernodes[name] = self._start(command, name)
        return self.supernodes[name]

    def flwr(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a ``flwr`` command against this federation to its end."""
        command = [installed_program("flwr"), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def run_app(self, config: RunConfig) -> subprocess.Popen[str]:
        """Submit the app and return the process that streams its log."""
        command = run_command(self.folder, config.as_settings())
        streaming = subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.callback(_end, streaming)
        return streaming

    def _start(self, command: list[str], name: str) -> Program:
        program = Program.start(command, self.environment, self.folder / f"{name}.log")
        self.callback(program.stop)
        return program


def node_config(config: RunConfig, client: int) -> str:
    """Return what a client's SuperNode is told: its number, how many there are, and its role."""
    malicious = str(client in malicious_clients(config)).lower()
    return f"partition-id={client} num-partitions={config.federation.num_clients} malicious={malicious}"


def run_federation(config: RunConfig) -> int:
    """Run the app once on a federation of its own and return 0 if it finished."""
    with (
        stopped_by_signals(),
        watched_home() as home,
        LoopbackFederation(home) as federation,
    ):
        try:
            _start_all(federation, config)
        except RuntimeError as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 1
        streaming = federation.run_app(config)
        for line in streaming.stdout or ():
            print(line, end="", flush=True)
    return 0 if RunFolder(config.results.results_dir).is_finished else 1


def _start_all(federation: LoopbackFederation, config: RunConfig) -> None:
    federation.start_superlink()
    print(f"SuperLink at https://{federation.address}, logs in {federation.folder}", flush=True)
    for client in range(config.federation.num_clients):
        name, told = f"supernode-{client}", node_config(config, client)
        federation.register_supernode(name)
        federation.start_supernode(name, told)
        print(f"{name}: registered and started with {told}", flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()
