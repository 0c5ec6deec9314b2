"""A function that does what its event asks for, so that tests can see how the laptop's AWS treats functions."""

import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

BREAK_INIT = Path(tempfile.gettempdir()) / "break-init"
with suppress(FileNotFoundError):
    BREAK_INIT.unlink()
    raise RuntimeError("a sandbox that starts once this file is there does not come up")


class RefusedOnPurposeError(Exception):
    """Raised when the event asks for it."""


def handler(event: dict[str, Any], context: Any) -> Any:
    action = event.get("action", "echo")
    if action == "remember":
        remember(event)
    time.sleep(event.get("seconds", 0))
    if action == "raise":
        raise RefusedOnPurposeError(event.get("message", "on purpose"))
    if action == "break the next init":
        BREAK_INIT.touch()
    if action == "exit":
        os._exit(3)
    if action == "environment":
        return {"variables": dict(os.environ), "path": sys.path, "folder": str(Path.cwd()), "process": os.getpid()}
    if action == "import":
        __import__(event["module"])
    if action == "succeed":
        boto3.client("stepfunctions").send_task_success(taskToken=event["token"], output=json.dumps(event["output"]))
    if action == "read":
        return boto3.client("s3").get_object(Bucket=event["bucket"], Key=event["key"])["Body"].read().decode()
    if action == "measure":
        metric = {"Namespace": "Probe", "Dimensions": [["Kind"]], "Metrics": [{"Name": "Seen", "Unit": "Count"}]}
        emf = {"Timestamp": 1, "CloudWatchMetrics": [metric]}
        document = {"_aws": emf, "Kind": event["kind"], "Seen": event["value"]}
        sys.stdout.write(json.dumps(document) + "\n")
    if "requestContext" in event:
        return {"statusCode": 200, "body": json.dumps(event)}
    return event


def remember(event: dict[str, Any]) -> None:
    """Write the event into the table, so that a test can see that and how it arrived."""
    boto3.client("dynamodb").put_item(
        TableName=os.environ["TABLE_NAME"],
        Item={"pk": {"S": event["key"]}, "sk": {"S": str(time.time_ns())}, "event": {"S": json.dumps(event)}},
    )
