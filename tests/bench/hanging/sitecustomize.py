"""On PYTHONPATH: a name server that never answers."""

import socket
import time


def _hang(*_: object, **__: object) -> None:
    time.sleep(3600)


socket.getaddrinfo = _hang  # type: ignore[assignment]
