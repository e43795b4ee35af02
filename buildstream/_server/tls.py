"""TLS of the ports, with certificates that may be renewed while the server runs."""

import os
from typing import Any

import grpc

from .._exceptions import AppError
from .log import Log


class Certificates:
    """The credentials of one port.

    Args:
        key: PEM file with the private key of the server.
        certificate: PEM file with its certificate, and those between it and the authority.
        clients: PEM file with the certificates that those of clients must be
            signed by; None if clients need no certificate.
        log: Told of changes.

    Raises:
        AppError: A file can't be read.
    """

    def __init__(self, key: str, certificate: str, clients: str | None, log: Log) -> None:
        self._paths = (key, certificate, *([clients] if clients is not None else []))
        self._needs_clients = clients is not None
        self._log = log
        self._stamps = self._stamped()
        self._configuration = self._read()

    def credentials(self) -> Any:
        """What gRPC wants; it looks for renewed files at each new connection."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration, self._renewed, require_client_authentication=self._needs_clients
        )

    def _renewed(self) -> Any:
        """The new configuration, None if it is the old one."""
        stamps = self._stamped()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        try:
            self._configuration = self._read()
        except AppError as error:
            self._log(f"warning: {error}; the certificates read before are used on")
            return None
        self._log(f"Read the certificates in '{self._paths[1]}' again")
        return self._configuration

    def _read(self) -> Any:
        contents = []
        for path in self._paths:
            try:
                with open(path, "rb") as file:
                    contents.append(file.read())
            except OSError as error:
                raise AppError(f"Can't read '{path}': {error}") from error
            if b"-----BEGIN " not in contents[-1]:
                raise AppError(f"'{path}' is not a PEM file")
        key, certificate, *clients = contents
        return grpc.ssl_server_certificate_configuration(
            [(key, certificate)], root_certificates=clients[0] if clients else None
        )

    def _stamped(self) -> tuple[object, ...]:
        return tuple(map(_stamp, self._paths))


def _stamp(path: str) -> object:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
