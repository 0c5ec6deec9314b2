"""`lockkeeper local up`, `env` and `down`: the laptop's AWS with the real template in it."""

import importlib.util
import re
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer
from rich.console import Console

from localcloud import supervisor
from localcloud.deploy import DeployError, deploy_hub
from localcloud.packaging import BuildError
from localcloud.sagemaker import quirks
from localcloud.settings import (
    BUILD_FOLDER,
    DEFAULT_PORT,
    HUB_ACCOUNT_ID,
    JOINED_ACCOUNT_IDS,
    LOST_WITHOUT_RUNTIME_CLIENT,
)
from localcloud.sign_in_app import sign_in_parameters
from localcloud.slack_app import slack_parameters

EXTERNAL_ID = "laptop-external-id"
"""Not a secret: the roles that ask for it exist on this machine only."""

POLL_SECONDS = 0.5

app = typer.Typer(help="The laptop's AWS: start it with the real template deployed, or stop it.", no_args_is_help=True)

Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of the AWS endpoint; a free one is taken when it is busy.")
]
Scale = Annotated[
    float, typer.Option(min=1, help="How many seconds of waiting pass in one: 60 makes a minute a second.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Return when it is up; `lockkeeper local down` stops it.")]
Quirky = Annotated[
    bool, typer.Option("--quirks", help="SageMaker's events come twice, late, out of order, misspelt or not at all.")
]
Accounts = Annotated[
    Literal["1", "3"],
    typer.Option(help="1: everything in one account. 3: the hub with the registry, staging, and production."),
]
AccountId = Annotated[str, typer.Option("--account", help="Id of the account to act in.")]
StateFolder = Annotated[Path, typer.Option(hidden=True)]


@app.command()
def up(
    port: Port = DEFAULT_PORT,
    clock_scale: Scale = 1.0,
    accounts: Accounts = "1",
    detach: Detach = False,
    quirky: Quirky = False,
    state_folder: StateFolder = BUILD_FOLDER,
) -> None:
    """Start the laptop's AWS, deploy the template, and print the environment that an AWS client needs."""
    console = Console(stderr=True)
    if importlib.util.find_spec("awslambdaric") is None:
        console.print(LOST_WITHOUT_RUNTIME_CLIENT, style="yellow")
    interrupt_on_termination()
    try:
        running, outputs = bring_up(console, port, clock_scale, accounts, detach, state_folder)
    except (supervisor.StartError, supervisor.AlreadyRunning, DeployError, BuildError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        if isinstance(error, supervisor.AlreadyRunning):
            console.print("cure: `lockkeeper local env` prints its environment, `lockkeeper local down` stops it")
        raise typer.Exit(1) from error
    if port and not running.endpoint_url.endswith(f":{port}"):
        console.print(f"Port {port} is busy; took {running.endpoint_url}.", style="yellow")
    if quirky:
        quirks.write(running.run_folder, quirks.BAD_DAY)
    print_environment(running, outputs["WebUrl"])
    for kind, account_id in joined_by(accounts).items():
        console.print(f"The {kind} account is {account_id}: lockkeeper local env --account {account_id}")
    if not detach:
        console.print(f"Running with clock scale {clock_scale:g}. Ctrl-C stops it and everything it started.")
        wait(running, console)


def joined_by(accounts: Literal["1", "3"]) -> dict[str, str]:
    """Ids of the accounts beside the hub, by kind."""
    return JOINED_ACCOUNT_IDS if accounts == "3" else {}


def bring_up(
    console: Console, port: int, clock_scale: float, accounts: Literal["1", "3"], detach: bool, state_folder: Path
) -> tuple[supervisor.Running, dict[str, str]]:
    """Start the server and deploy into it; a deployment that fails takes the server with it."""
    with console.status("Starting the laptop's AWS") as status:
        began = time.monotonic()
        running = supervisor.start(port, clock_scale, outlive_me=detach, state_folder=state_folder)
        try:
            # Every bucket: what a person tries on a laptop is not named for SageMaker.
            parameters = {"ExternalId": EXTERNAL_ID, "WebUrl": running.web_url, "ModelBuckets": "*"}
            parameters |= slack_parameters(running) | sign_in_parameters(running)
            outputs = deploy_hub(running.endpoint_url, parameters, joined_by(accounts), report=status.update)
        except BaseException:
            supervisor.stop(running)
            raise
    console.print(f"Started and deployed in {time.monotonic() - began:.1f} s.")
    return running, outputs


def print_environment(running: supervisor.Running, web_url: str, account_id: str = HUB_ACCOUNT_ID) -> None:
    """Write `export NAME=value` lines for a shell to standard output, then the URLs and places as comments.

    Where a shell evaluates standard output, nobody sees the places: then they are told on standard error too.
    """
    for name, value in running.environment(account_id).items():
        print(f"export {name}={value}")
    places = {
        "AWS endpoint": running.endpoint_url,
        "Release board": web_url,
        "Sign-in": f"{running.sign_in_url} (a stand-in of your provider)",
        "Mailbox": running.mailbox,
        "Slack": f"{running.slack_url} (a stand-in)",
        "Logs": running.logs,
    }
    for name, place in places.items():
        print(f"# {name}: {place}")
        if not sys.stdout.isatty():
            print(f"{name}: {place}", file=sys.stderr)
    sys.stdout.flush()


@app.command()
def env(account: AccountId = HUB_ACCOUNT_ID, state_folder: StateFolder = BUILD_FOLDER) -> None:
    """Print the environment of the laptop's AWS that runs, for another shell."""
    if not re.fullmatch(r"\d{12}", account):
        raise typer.BadParameter(f"{account!r} is no account: it has 12 digits", param_hint="--account")
    running = supervisor.find_running(state_folder)
    if running is None:
        print("error: the laptop's AWS is not running\ncure: start it with `lockkeeper local up`", file=sys.stderr)
        raise typer.Exit(1)
    print_environment(running, running.web_url, account)


def interrupt_on_termination() -> None:
    """Make SIGTERM end the foreground run as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def wait(running: supervisor.Running, console: Console) -> None:
    """Block until a signal comes or the server dies, then leave nothing behind."""
    try:
        while supervisor.is_alive(running.pid):
            time.sleep(POLL_SECONDS)
        console.print(f"The server died.\n{supervisor.log_tail(running)}", style="red", markup=False)
        raise typer.Exit(1)
    except KeyboardInterrupt:
        console.print("Stopping.")
    finally:
        supervisor.stop(running)


@app.command()
def down(state_folder: StateFolder = BUILD_FOLDER) -> None:
    """Stop the laptop's AWS and everything it started."""
    console = Console(stderr=True)
    if supervisor.stop(state_folder=state_folder):
        console.print(f"Stopped. Its logs and mailbox are in {state_folder / supervisor.LAST_RUN}.")
    else:
        console.print("The laptop's AWS is not running.")
