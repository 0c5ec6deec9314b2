"""The server of the laptop's AWS: the emulator with its plug-ins, in one process.

    python -m localcloud.server --aws 5 --web 6 --slack 7 --sign-in 8 --run-folder DIR --keep DIR

It is started by `localcloud.supervisor`, which holds its ports and hands on their descriptors. A janitor process ends what
this process leaves behind, however it ends; a pipe from the supervisor (`--lifeline`), where there is one, ends this
process with the supervisor.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcloud import janitor
from localcloud.clock import CLOCK
from localcloud.listening import SERVED, inherited, port_of
from localcloud.settings import HUB_ACCOUNT_ID, REGION, SECRET_ACCESS_KEY

logger = logging.getLogger("localcloud.server")


@dataclass(frozen=True)
class Options:
    """What the server is started with."""

    aws: socket.socket
    web: socket.socket
    slack: socket.socket
    sign_in: socket.socket
    run_folder: Path
    keep: Path
    clock_scale: float
    lifeline: int | None

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{port_of(self.aws)}"


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="localcloud.server")
    for name in SERVED:
        parser.add_argument(f"--{name}", type=inherited, required=True, help="the descriptor of a listening socket")
    parser.add_argument("--run-folder", type=Path, required=True)
    parser.add_argument("--keep", type=Path, required=True, help="where logs and mailbox are kept after the end")
    parser.add_argument("--clock-scale", type=float, default=1.0)
    parser.add_argument("--lifeline", type=int, help="a file descriptor; this process ends when it is closed")
    return Options(**vars(parser.parse_args(arguments)))


def prepare_environment(options: Options) -> None:
    """Set what the emulator reads when it is imported, and forget the developer's own AWS settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    temporary = options.run_folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "AUTH": "true",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port_of(options.aws)),
        "MINISTACK_ACCOUNT_ID": HUB_ACCOUNT_ID,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": options.endpoint_url,
        "AWS_ACCESS_KEY_ID": HUB_ACCOUNT_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TMPDIR": str(temporary),
        "S3_DATA_DIR": str(options.run_folder / "s3"),
        "STATE_DIR": str(options.run_folder / "state"),
        # The emulator would look for containers that it started, and listen for two protocols that nobody speaks here.
        "DOCKER_HOST": f"unix://{temporary}/no-docker.sock",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # A burst of events leaves a sandbox of 80 MB each behind; one of every function stays anyway.
        "LAMBDA_WARM_TTL_SECONDS": "30",
        "LOG_LEVEL": "INFO",
    }


def allow_many_files() -> None:
    """Every Lambda worker and model server costs descriptors; the usual soft limit is low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def plug_in(options: Options) -> list[Callable[[], None]]:
    """Install everything that the project adds to the emulator; returns what has to be closed at the end."""
    # Imported here because the emulator reads its environment at import.
    from localcloud import call_log, conformance, decision_log, identity_provider, mailbox, runtime, slack
    from localcloud.sagemaker import plug_in as sagemaker

    call_log.install(options.run_folder / "logs" / "calls.jsonl")
    decision_log.install(options.run_folder / "logs" / "decisions.jsonl")
    conformance.install(port_of(options.web))
    runtime.install(options.run_folder, options.endpoint_url)
    mailbox.install(options.run_folder / "mailbox")
    web_url = f"http://127.0.0.1:{port_of(options.web)}"
    workspace = slack.Workspace(f"{web_url}/slack/interactions", options.run_folder / "logs" / "slack.jsonl")
    channel = slack.serve(workspace, options.slack)
    people = identity_provider.serve(options.sign_in, f"{web_url}/sign-in/callback")
    return [sagemaker.install(options.run_folder, options.clock_scale), channel.server_close, people.server_close]


async def serve(options: Options) -> None:
    """Answer on both ports until a signal or the end of the lifeline."""
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config
    from ministack.app import app

    config = Config()
    config.bind = [f"fd://{options.aws.detach()}", f"fd://{options.web.detach()}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 1
    config.errorlog = logging.getLogger("hypercorn.error")
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if options.lifeline is not None:
        watch_lifeline(options.lifeline, lambda: loop.call_soon_threadsafe(stopped.set))

    async def until_stopped() -> None:
        await stopped.wait()

    application: Any = app
    await hypercorn_serve(application, config, shutdown_trigger=until_stopped)


def watch_lifeline(descriptor: int, ended: Callable[[], object]) -> None:
    """Call `ended` when the other end of the pipe is closed, that is, when the supervisor has died."""

    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        ended()

    threading.Thread(target=wait, daemon=True, name="lifeline").start()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the server until it is told to end."""
    options = parse(arguments)
    CLOCK.scale = options.clock_scale
    if options.lifeline is not None:
        os.set_inheritable(options.lifeline, False)
    janitor.keep_one(options.run_folder, options.keep)
    prepare_environment(options)
    allow_many_files()
    closers = plug_in(options)
    try:
        asyncio.run(serve(options))
    finally:
        # Lambda workers are left to the janitor, which ends all of them at once; the emulator takes half a second for each.
        for close in closers:
            close()


if __name__ == "__main__":
    main()
