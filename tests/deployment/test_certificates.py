"""Certificates and keys: a TLS client trusts them for the names they were made for, and no others."""

from __future__ import annotations

import socket
import ssl
import stat
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_ssh_private_key, load_ssh_public_key

from deployment.certificates import main, make_server_certificate, make_supernode_key


def connect(folder: Path, host: str, authority: Path) -> str:
    """Return the protocol that a client and a server with the folder's files agree on."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "superlink.crt", folder / "superlink.key")
    client = ssl.create_default_context(cafile=str(authority))
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(theirs, server_side=True).close()
        except (ssl.SSLError, OSError):
            theirs.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(ours, server_hostname=host) as connection:
            return str(connection.version())
    finally:
        ours.close()
        thread.join()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make_server_certificate(folder, ["superlink.example.org", "10.0.0.5"])
    make_supernode_key(folder, "site-a")
    return folder


@pytest.mark.parametrize("host", ["superlink.example.org", "10.0.0.5"])
def test_a_client_trusts_the_names_it_was_made_for(made: Path, host: str) -> None:
    assert connect(made, host, made / "ca.crt") == "TLSv1.3"


def test_a_client_trusts_no_other_name(made: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        connect(made, "elsewhere.example.org", made / "ca.crt")


def test_a_client_trusts_no_other_authority(made: Path, tmp_path: Path) -> None:
    make_server_certificate(tmp_path, ["10.0.0.5"])
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(made, "10.0.0.5", tmp_path / "ca.crt")


def test_the_server_s_certificate_cannot_sign_others(made: Path) -> None:
    for name, is_authority in (("ca.crt", True), ("superlink.crt", False)):
        certificate = x509.load_pem_x509_certificate((made / name).read_bytes())
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert constraints.value.ca == usage.key_cert_sign == is_authority
        assert constraints.critical
        assert constraints.value.path_length == (0 if is_authority else None)


def test_private_keys_are_for_their_owner_only_and_belong_to_the_public_ones(made: Path) -> None:
    for name in ("superlink.key", "site-a.key"):
        assert stat.S_IMODE((made / name).stat().st_mode) == 0o600
    private = load_ssh_private_key((made / "site-a.key").read_bytes(), password=None)
    public = load_ssh_public_key((made / "site-a.pub").read_bytes())
    assert private.public_key() == public


def test_keys_are_never_written_over(made: Path) -> None:
    before = {path: path.read_bytes() for path in made.iterdir()}
    with pytest.raises(FileExistsError):
        make_supernode_key(made, "site-a")
    with pytest.raises(FileExistsError):
        make_server_certificate(made, ["superlink.example.org"])
    assert {path: path.read_bytes() for path in made.iterdir()} == before


def test_the_command_makes_all_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [str(tmp_path), "--names", "localhost", "--supernodes", "a", "b"]
    monkeypatch.setattr(sys, "argv", ["certificates", *given])
    main()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("ca.crt", "superlink.crt", "superlink.key"),
        *("a.key", "a.pub", "b.key", "b.pub"),
    }
    with pytest.raises(SystemExit):
        main()
