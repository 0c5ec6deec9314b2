"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

StackName = Annotated[
    str, typer.Option("--stack", envvar="LOCKKEEPER_STACK", help="Name of the deployed CloudFormation stack.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, nothing else.")]
DEFAULT_STACK = "lockkeeper"
