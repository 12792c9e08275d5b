"""Certificates that a test makes for itself, and redis-servers that ask for TLS or for an account."""

import subprocess
from pathlib import Path
from typing import NamedTuple

from redis_server import free_port

PASSWORD = "s3cret-of-mine"


class Certificate(NamedTuple):
    """Signed by itself, so that the certificate is its own authority."""

    cert: Path
    key: Path

    def options(self, port: int, *more: tuple[str, str]) -> dict[str, str | int]:
        """What redis.conf says so that `port` speaks TLS and nobody needs a certificate of his own."""
        files = {"tls-cert-file": str(self.cert), "tls-key-file": str(self.key), "tls-ca-cert-file": str(self.cert)}
        return {"tls-port": port, "tls-auth-clients": "no", "tls-replication": "yes", **files, **dict(more)}


def certificate(folder: Path, name: str, address: str = "127.0.0.1") -> Certificate:
    made = Certificate(folder / f"{name}.crt", folder / f"{name}.key")
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    names = ("-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{address}")
    files = ("-keyout", str(made.key), "-out", str(made.cert))
    subprocess.run(["openssl", "req", "-x509", *curve, *names, *files], check=True, capture_output=True)
    return made


class Secured:
    """Right and wrong certificates, and a port for TLS."""

    def __init__(self, folder: Path) -> None:
        self.right, self.wrong = certificate(folder, "right"), certificate(folder, "wrong")
        self.stranger = certificate(folder, "stranger", "127.0.0.2")
        self.port = free_port()
