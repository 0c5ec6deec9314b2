"""InvokeEndpoint, as a model's answer. Runs in a job's container too, the oldest of which has Python 3.8."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lockkeeper.domain.online.rows import Answered


def invoke(client: Any, endpoint_name: str, body: str, content_type: str, accept: str) -> Answered:
    """What the model's container says, errors included; a `ClientError` is SageMaker's own word."""
    try:
        answer = client.invoke_endpoint(
            EndpointName=endpoint_name, Body=body.encode(), ContentType=content_type, Accept=accept
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ModelError":
            raise
        status = int(str(error.response.get("OriginalStatusCode", 500)))
        return Answered(status, "text/plain", str(error.response.get("OriginalMessage", "")))
    return Answered(200, answer.get("ContentType", ""), answer["Body"].read().decode(errors="replace"))
