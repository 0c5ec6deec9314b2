"""Errors as the command says them: what is wrong, and what a person can do about it."""

from __future__ import annotations

from botocore import exceptions
from lockkeeper.domain.errors import LockkeeperError

LOCAL_CURE = "start the laptop's AWS with `lockkeeper local up` and set the variables that it prints"
SIGN_IN = "sign in with `aws configure` or `aws sso login`"
EXPIRED_CODES = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})
UNKNOWN_CALLER_CODES = frozenset(
    {"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidAccessKeyId"}
)
DENIED_CODES = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"})


class CommandRefused(LockkeeperError):
    """The command cannot do what it was asked to."""


def explain(error: Exception) -> LockkeeperError | None:
    """A message and a cure for an error that a person can act on; None for any other, which is a defect."""
    match error:
        case LockkeeperError():
            return error
        case exceptions.ClientError():
            return _refusal(error)
        case (
            exceptions.NoCredentialsError()
            | exceptions.PartialCredentialsError()
            | exceptions.CredentialRetrievalError()
        ):
            return CommandRefused(f"no AWS credentials: {error}", cure=f"{SIGN_IN}; without an account, {LOCAL_CURE}")
        case exceptions.SSOError() | exceptions.TokenRetrievalError():
            return CommandRefused(f"AWS single sign-on: {error}", cure="sign in again with `aws sso login`")
        case exceptions.NoRegionError():
            return CommandRefused("no AWS region", cure=f"set AWS_DEFAULT_REGION; without an account, {LOCAL_CURE}")
        case exceptions.ProfileNotFound():
            return CommandRefused(
                str(error), cure="look at AWS_PROFILE; `aws configure list-profiles` names what there is"
            )
        case exceptions.HTTPClientError() | exceptions.ConnectionError():
            return CommandRefused(f"nothing answers: {_one_line(error)}", cure=_connection_cure(error))
        case exceptions.BotoCoreError():
            return CommandRefused(_one_line(error))
        case ValueError() if str(error).startswith("Invalid endpoint: "):
            # botocore has no class of its own for it.
            address = str(error).removeprefix("Invalid endpoint: ")
            return CommandRefused(
                f"{address!r} is no address of AWS",
                cure="write AWS_ENDPOINT_URL with its scheme and a host of letters, digits and hyphens, such as http://127.0.0.1:4566, "
                "or unset it to reach AWS itself",
            )
    return None


def _refusal(error: exceptions.ClientError) -> LockkeeperError:
    """AWS answered, and the answer was no."""
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    if code in EXPIRED_CODES:
        return CommandRefused("your AWS session has expired", cure="sign in again, for example with `aws sso login`")
    if code in UNKNOWN_CALLER_CODES:
        return CommandRefused(f"AWS does not know these credentials ({code})", cure=SIGN_IN)
    if code in DENIED_CODES:
        return CommandRefused(
            f"AWS denied {error.operation_name}: {message}", cure="ask for the permission, or use another identity"
        )
    return CommandRefused(f"AWS refused {error.operation_name} ({code}): {message}")


def _connection_cure(error: exceptions.BotoCoreError) -> str:
    address = str(error.kwargs.get("endpoint_url", "")) + str(error)
    if any(host in address for host in ("127.0.0.1", "localhost", "[::1]")):
        return f"{LOCAL_CURE}, or unset AWS_ENDPOINT_URL to reach AWS itself"
    return "look at your network, your proxy and AWS_DEFAULT_REGION"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
