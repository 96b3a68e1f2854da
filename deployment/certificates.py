"""What a federation with TLS and SuperNode authentication needs: certificates and keys.

``python -m deployment.certificates FOLDER --names HOST ... --supernodes NAME ...`` makes them:

- A certificate authority (``ca.crt``) that SuperNodes and ``flwr`` trust. Its key signs one server
  certificate and is not kept: to renew, make a new authority.
- The SuperLink's certificate and key (``superlink.crt``, ``superlink.key``), for the names that it is
  reached by.
- For each SuperNode a key pair (``NAME.key``, ``NAME.pub``) on the curve P-384, Flower's own choice. The
  public part is registered at the SuperLink; the private one never leaves the SuperNode.
"""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS_VALID = 365
PRIVATE = 0o600


def make_server_certificate(folder: Path, names: Sequence[str]) -> None:
    """Write ``ca.crt``, ``superlink.crt`` and ``superlink.key`` into a folder.

    Parameters
    ----------
    folder : Path
        Made if missing.
    names : sequence of str
        Host names and IP addresses by which SuperNodes and ``flwr`` reach the SuperLink.

    Raises
    ------
    ValueError
        Without any name.
    FileExistsError
        Where one of the files exists: keys are never written over.
    """
    if not names:
        raise ValueError("names must hold at least one host name or IP address, got none")
    folder.mkdir(parents=True, exist_ok=True)
    authority_key = ec.generate_private_key(ec.SECP384R1())
    authority_name = _name("PAwBRoFL federation")
    authority = (
        _certificate(authority_name, authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA384())
    )
    server_key = ec.generate_private_key(ec.SECP384R1())
    server = (
        _certificate(_name(names[0]), authority_name, server_key)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(_key_identifier(authority), False)
        .sign(authority_key, hashes.SHA384())
    )
    _write(folder / "ca.crt", authority.public_bytes(serialization.Encoding.PEM))
    _write(folder / "superlink.crt", server.public_bytes(serialization.Encoding.PEM))
    private = _private(server_key, serialization.PrivateFormat.PKCS8)
    _write(folder / "superlink.key", private, PRIVATE)


def make_supernode_key(folder: Path, name: str) -> Path:
    """Write ``NAME.key`` and ``NAME.pub`` into a folder and return the public key's path.

    Raises
    ------
    FileExistsError
        Where one of the files exists.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP384R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    _write(folder / f"{name}.key", _private(key, serialization.PrivateFormat.OpenSSH), PRIVATE)
    _write(folder / f"{name}.pub", public + b"\n")
    return folder / f"{name}.pub"


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))  # clocks differ
        .not_valid_after(now + datetime.timedelta(days=DAYS_VALID))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    of_authority = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(of_authority.value)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: ec.EllipticCurvePrivateKey, form: serialization.PrivateFormat) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a new file that nobody else could read for a moment where ``mode`` forbids it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def main() -> None:
    """Make what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="where the files go; none is written over")
    parser.add_argument(
        "--names",
        nargs="+",
        default=[],
        metavar="HOST",
        help="host names and IP addresses of the SuperLink: makes ca.crt, superlink.crt, superlink.key",
    )
    parser.add_argument(
        "--supernodes", nargs="+", default=[], metavar="NAME", help="makes NAME.key and NAME.pub of each"
    )
    options = parser.parse_args()
    if not (options.names or options.supernodes):
        parser.error("give --names, --supernodes or both")
    try:
        if options.names:
            make_server_certificate(options.folder, options.names)
        for name in options.supernodes:
            make_supernode_key(options.folder, name)
    except FileExistsError as problem:
        parser.error(f"{problem.filename} exists, and keys are never written over")


if __name__ == "__main__":
    main()
