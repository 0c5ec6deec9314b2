"""The queue of an asynchronous endpoint: a request is put in, and its answer is looked for in S3."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from lockkeeper.domain.errors import DeploymentFailed
from lockkeeper.domain.targets import Queued

KEPT = 60
"""Seconds that a request stays in the queue, the fewest that SageMaker takes: nobody looks for a later answer."""
LONGEST_WORDS = 1000
"""Bytes that are read of what was written: a failure's words, or the beginning of an answer."""


class RequestQueue(ABC):
    """The part of `ports.Endpoints` that is about requests which are answered in S3."""

    @abstractmethod
    def _client(self, service: str) -> Any:
        """A client in the environment, under its deploy role."""

    def enqueue(
        self, endpoint_name: str, request_uri: str, content_type: str, accept: str, inference_id: str
    ) -> Queued:
        try:
            told = self._client("sagemaker-runtime").invoke_endpoint_async(
                EndpointName=endpoint_name,
                InputLocation=request_uri,
                ContentType=content_type,
                Accept=accept,
                InferenceId=inference_id,
                RequestTTLSeconds=KEPT,
            )
        except ClientError as error:
            code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
            raise DeploymentFailed(f"endpoint {endpoint_name} takes no requests: {code}: {message}") from error
        return Queued(told["OutputLocation"], told.get("FailureLocation", ""))

    def written(self, uri: str) -> str | None:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        try:
            body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"]
            return bytes(body.read(LONGEST_WORDS)).decode(errors="replace")
        except (ClientError, BotoCoreError, OSError):
            # Of an object that is not there S3 says 403 to who may not list the bucket; the bucket is somebody else's anyway.
            return None
