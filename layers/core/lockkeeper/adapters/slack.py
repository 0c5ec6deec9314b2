"""Slack: signatures of what it sends, and the three calls of its Web API that a message takes."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lockkeeper.domain.errors import SlackRefused
from lockkeeper.ports import Clock
from lockkeeper.ports_of_slack import PostedMessage

if TYPE_CHECKING:
    from slack_sdk import WebClient

SECRET_SECONDS = 300
"""A secret that was changed counts after this time."""
CALL_SECONDS = 8
"""How long Slack may take for one call: notify has to let go of its message before its own time is over."""
TIMESTAMP = re.compile(r"[0-9]{1,12}")
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}")

Secret = Callable[[], dict[str, str]]


def secret_of(client: Any, arn: str) -> Secret:
    """Reads `bot_token` and `signing_secret` from Secrets Manager; what was read is good for five minutes."""
    from aws_lambda_powertools.utilities.parameters import SecretsProvider

    provider = SecretsProvider(boto3_client=client)

    def read() -> dict[str, str]:
        secret: Any = provider.get(arn, max_age=SECRET_SECONDS, transform="json")
        missing = sorted({"bot_token", "signing_secret"} - set(secret if isinstance(secret, dict) else {}))
        if missing:
            raise SlackRefused(
                f"the secret of SlackSecretArn has no {' and no '.join(missing)}", cure="see docs/slack.md"
            )
        return secret  # type: ignore[no-any-return]

    return read


def is_genuine(signing_secret: str, clock: Clock, body: bytes, timestamp: str, signature: str) -> bool:
    """Whether the secret signed these bytes within five minutes of now. Never raises: anybody may send anything."""
    if not (TIMESTAMP.fullmatch(timestamp) and SIGNATURE.fullmatch(signature)):
        return False
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    verifier = _signatures().SignatureVerifier(signing_secret, clock=_Seconds(clock))
    return bool(verifier.is_valid(body, timestamp, signature))


class _Seconds:
    """Our clock as slack_sdk wants it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()


@cache
def _signatures() -> ModuleType:
    """`slack_sdk.signature` without its package, which would load the whole Web client: a part of the three seconds that Slack waits."""
    package = importlib.util.find_spec("slack_sdk")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("slack_sdk is not installed")
    place = Path(next(iter(package.submodule_search_locations))) / "signature" / "__init__.py"
    spec = importlib.util.spec_from_file_location("lockkeeper_slack_signature", place)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"{place} is no module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SlackChannel:
    """Implements `ports.Slack`. `api_url` is Slack's own unless it is given."""

    def __init__(self, secret: Secret, *, channel: str, api_url: str, clock: Clock) -> None:
        self._secret = secret
        self._channel = channel
        self._api_url = api_url
        self._clock = clock

    def is_genuine(self, body: bytes, timestamp: str, signature: str) -> bool:
        return is_genuine(self._secret()["signing_secret"], self._clock, body, timestamp, signature)

    def post(self, message: dict[str, Any]) -> PostedMessage:
        answer = self._call("chat.postMessage", channel=self._channel, unfurl_links=False, **message)
        return PostedMessage(str(answer["channel"]), str(answer["ts"]))

    def update(self, posted: PostedMessage, message: dict[str, Any]) -> bool:
        answer = self._call("chat.update", channel=posted.channel, ts=posted.timestamp, **message)
        return bool(answer)

    def whisper(self, user: str, message: dict[str, Any]) -> None:
        self._call("chat.postEphemeral", channel=self._channel, user=user, **message)

    @cached_property
    def _client(self) -> WebClient:
        # Only what speaks to Slack pays for loading it.
        from slack_sdk import WebClient

        address = {"base_url": self._api_url} if self._api_url else {}
        # No retries: a message that was taken, and whose answer was lost, would stand there twice.
        return WebClient(timeout=CALL_SECONDS, retry_handlers=[], **address)  # type: ignore[arg-type]

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Slack's answer; empty where the message is gone. `SlackRefused` for everything else, with Slack's own word."""
        from slack_sdk.errors import SlackApiError, SlackClientError

        headers = {"Authorization": f"Bearer {self._secret()['bot_token']}"}
        try:
            answer = self._client.api_call(method, json={"parse": "none", **arguments}, headers=headers)
        except SlackApiError as error:
            if method == "chat.update" and error.response.get("error") == "message_not_found":
                return {}
            raise SlackRefused(f"Slack refused {method}: {_why(error)}") from None
        except (SlackClientError, OSError, ValueError) as error:
            # By its kind alone: what urllib says of a request may have the token in it.
            raise SlackRefused(f"Slack could not be reached for {method}: {type(error).__name__}") from None
        return dict(answer.data) if isinstance(answer.data, dict) else {}


def _why(error: Any) -> str:
    if error.response.status_code == 429:
        return f"too many calls; it wants {error.response.headers.get('Retry-After', 'some')} s of quiet"
    return str(error.response.get("error", error.response.status_code))[:200]
