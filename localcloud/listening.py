"""Ports of 127.0.0.1, held from the moment they are chosen: a port that is only looked for may be another's a second later."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from localcloud.settings import STOP_POLL_SECONDS

BACKLOG = 128
SERVED = ("aws", "web", "slack", "sign-in")
"""What a server of the laptop's AWS listens for, in the order of its ports."""


def listen(wanted: int) -> socket.socket:
    """A socket that listens on this port, or on a free one where the port is busy or 0. Who connects waits to be served.

    Raises OSError where no port is free.
    """
    with contextlib.suppress(OSError):
        return socket.create_server(("127.0.0.1", wanted), backlog=BACKLOG)
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


def inherited(descriptor: str) -> socket.socket:
    """The listening socket that this process was started with; its own children do not get it."""
    listening = socket.socket(fileno=int(descriptor))
    listening.set_inheritable(False)
    return listening


def port_of(listening: socket.socket) -> int:
    """The port that it listens on."""
    return int(listening.getsockname()[1])


def serve(listening: socket.socket, handler: type[BaseHTTPRequestHandler], name: str) -> ThreadingHTTPServer:
    """Serve in threads of this process; `shutdown` and `server_close` end it."""
    server = ThreadingHTTPServer(("127.0.0.1", port_of(listening)), handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listening
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(STOP_POLL_SECONDS,), daemon=True, name=name).start()
    return server
