"""Clients that are no help: so slow that they hold their connections, or gone without saying so."""

import contextlib
import socket
import threading

from loadtest.bench.outages.stage import Stage
from loadtest.client import request

CLIENTS = 60  # to each replica
SLOW_S = 0.25  # between two bytes
TCP_REPAIR = 19  # Linux: a connection closed in this mode leaves without a FIN; needs CAP_NET_ADMIN
HALF = request("POST", "/recommend", b" " * 500)[:-300]


def slow_clients(stage: Stage) -> None:
    """Byte by byte, each a request of its own that never ends."""
    leaving = stage.kept["leaving"] = threading.Event()
    sockets = stage.kept["slow"] = _opened(stage)
    stage.kept["slowly"] = threading.Thread(target=_drip, args=(sockets, leaving), daemon=True)
    stage.kept["slowly"].start()
    stage.said.append(f"{len(sockets)} slow clients")


def slow_clients_leave(stage: Stage) -> None:
    stage.kept["leaving"].set()
    stage.kept["slowly"].join()
    for one in stage.kept["slow"]:
        one.close()


def half_open(stage: Stage) -> None:
    """Half a request each, then the peer is gone: no FIN, no RST."""
    silent = 0
    for one in _opened(stage):
        with contextlib.suppress(OSError):
            one.sendall(HALF)
        silent += _vanish(one)
    stage.said.append(f"{silent} connections whose peer left without a FIN")
    stage.expect(silent > 0, "no connection could be left half-open here; that needs CAP_NET_ADMIN")


def _opened(stage: Stage) -> list[socket.socket]:
    return [
        socket.create_connection(("127.0.0.1", replica.port), 5)
        for replica in stage.replicas
        if replica.alive
        for _ in range(CLIENTS)
    ]


def _drip(sockets: list[socket.socket], leaving: threading.Event) -> None:
    at = 0
    while not leaving.wait(SLOW_S) and at < len(HALF):
        for one in sockets:
            with contextlib.suppress(OSError):
                one.sendall(HALF[at : at + 1])
        at += 1


def _vanish(one: socket.socket) -> bool:
    try:
        one.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        return True
    except OSError:
        return False
    finally:
        one.close()
