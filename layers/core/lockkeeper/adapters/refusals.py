"""What SageMaker means when it refuses a call: it says most of it in words."""

from __future__ import annotations

from botocore.exceptions import ClientError

from lockkeeper.domain.errors import DeploymentFailed, TryAgain

BUSY = ("in-progress", "in progress", "cannot update endpoint", "cannot delete endpoint", "currently being")
"""What SageMaker says while an endpoint changes."""

EXISTS = ("already existing", "already exists")
"""What SageMaker says of a name that is taken."""

NOT_YET = ("could not find endpoint configuration", "could not find model")
"""What SageMaker may say of a configuration or model that it created a moment ago: it is eventually consistent."""


def is_missing(error: ClientError) -> bool:
    """Whether what the call is about does not exist."""
    message = error.response["Error"]["Message"].lower()
    return "could not find" in message or "does not exist" in message


def says_exists(error: ClientError) -> bool:
    """Whether the name is taken."""
    return any(words in error.response["Error"]["Message"].lower() for words in EXISTS)


def translated(error: ClientError, what: str) -> Exception:
    """What a refused call means: busy is tried again, throttling stays itself (retried), the rest fails the deployment."""
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == "ResourceLimitExceeded":
        # Somebody else's endpoint may go in a few minutes; when it does not, these are the release's last words.
        return TryAgain(
            f"{what}: {code}: {message}",
            cure="free instances or raise the quota in Service Quotas, then `lockkeeper replay` the release",
        )
    if any(word in message.lower() for word in (*BUSY, *NOT_YET)):
        return TryAgain(f"{what}: {code}: {message}")
    if code in {"ValidationException", "AccessDeniedException", "ResourceInUse", "ValidationError"}:
        return DeploymentFailed(
            f"{what}: {code}: {message}", cure="mend what the message names, then `lockkeeper replay` the release"
        )
    return error
