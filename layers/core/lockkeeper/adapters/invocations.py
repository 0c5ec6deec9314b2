"""InvokeEndpoint, as a model's answer. Runs in a job's container too, the oldest of which has Python 3.8."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from lockkeeper.domain.online.rows import LONGEST_ANSWER, NO_ANSWER, Answered

CONNECT_SECONDS = 5
"""Each try to reach SageMaker itself; no model has a part in that."""


def runtime(session: Any, seconds: int = LONGEST_ANSWER, connections: int = 10) -> Any:
    """A client of `sagemaker-runtime` that waits so long for an answer, once; all else is tried again as botocore does it."""
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=seconds, max_pool_connections=connections)
    client = session.client("sagemaker-runtime", config=config)
    client.meta.events.register_first("needs-retry.sagemaker-runtime.InvokeEndpoint", _give_up_on_silence)
    return client


def _give_up_on_silence(caught_exception: Exception | None = None, **_: Any) -> None:
    """botocore would ask a model that hangs five times, with a minute or more for each."""
    if isinstance(caught_exception, ReadTimeoutError):
        raise caught_exception


def invoke(client: Any, endpoint_name: str, body: str, content_type: str, accept: str) -> Answered:
    """What the model's container says, errors and silence included; a `ClientError` is SageMaker's own word."""
    try:
        answer = client.invoke_endpoint(
            EndpointName=endpoint_name, Body=body.encode(), ContentType=content_type, Accept=accept
        )
        said = answer["Body"].read().decode(errors="replace")
    except ClientError as error:
        if error.response["Error"]["Code"] != "ModelError":
            raise
        # SageMaker says 0 of a container that did not answer in time, or broke off.
        status = int(str(error.response.get("OriginalStatusCode", 500))) or NO_ANSWER
        return Answered(status, "text/plain", str(error.response.get("OriginalMessage", "")))
    except (ReadTimeoutError, ConnectionClosedError) as silent:
        # Of SageMaker that cannot be reached nothing is said here: that is no answer of a model.
        return Answered(NO_ANSWER, "text/plain", f"no answer: {type(silent).__name__}")
    return Answered(200, answer.get("ContentType", ""), said)
