"""What a person asks for under their AWS identity: one signed request to a route that wants AWS_IAM."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies
from lockkeeper.domain.approval import Answer
from lockkeeper.use_cases.request_approval import newest_question

from cli.problems import DENIED_CODES, CommandRefused
from cli.stack import Stack

TIMEOUT_SECONDS = 35
"""The API's own limit is 30."""
OF_THE_API = frozenset({"release_id", "model_package_group"})
"""Each answer of the API says what it is about."""
DECIDE_IN_STUDIO = (
    "to decide, set the version's ModelApprovalStatus to Approved or Rejected, in SageMaker Studio or with "
    "`aws sagemaker update-model-package`, as an approver whom the policy knows by principal or profile"
)


def decide(stack: Stack, release_id: str, answer: Answer, comment: str, before: str = "") -> dict[str, Any]:
    """Approve or reject the open question of a release. If another one is open by the time the API hears of it, nothing is decided.

    Args:
        before: Which question is meant, `staging` or `production`; empty for the one that is open now.

    Returns:
        The API's answer: `release_id`, `status` of the request (`pending` while more people must approve), and the
        decision: `approver`, `answer`, `comment`, `channel`, `at`.

    Raises:
        CommandRefused: the decision was not taken; message and cure are the API's.
    """
    question = {"before": before} if before else _open_question(stack, release_id)
    body = {"answer": str(answer), "comment": comment, **question}
    return _post(stack, _of_release(release_id, "decision"), body, DECIDE_IN_STUDIO)


def _open_question(stack: Stack, release_id: str) -> dict[str, str]:
    """What is asked now. Nothing where the caller may not read the ledger: who may only decide need not be able to."""
    try:
        request = newest_question(release_id, stack.world)
    except ClientError as error:
        if error.response["Error"]["Code"] in DENIED_CODES:
            return {}
        raise
    return {"before": request.before, "seal": request.seal} if request else {}


def revoke(stack: Stack, release_id: str, approver: str) -> dict[str, Any]:
    """Make the links of an approver void, or of all where the name is empty.

    Returns:
        The API's answer: `release_id`, `before`, `revoked` (names), `by`, `at`, and `next_reminder` (a time; empty for none).

    Raises:
        CommandRefused: nothing was revoked; message and cure are the API's.
    """
    return _post(stack, _of_release(release_id, "revoke"), {"approver": approver}, DECIDE_IN_STUDIO)


def act_on_group(stack: Stack, group: str, what: str, body: Mapping[str, object], without_a_web: str) -> dict[str, Any]:
    """Hold, lift, freeze, unfreeze, roll back, adopt or resume retraining.

    Args:
        what: The last part of the route: `hold`, `lift-hold`, `freeze`, `unfreeze`, `rollback`, `adopt` or `resume-retraining`.
        without_a_web: What else a person can do where the stack has no web API.

    Returns:
        The API's answer: `model_package_group`, `did`, `by`, `identity`, `since`, `reason`, `until`, `note`, and `version`
        where it is about one; of an adoption also `endpoint_name` and `config_name`.

    Raises:
        CommandRefused: nothing was done; message and cure are the API's.
    """
    return _post(stack, f"groups/{quote(group, safe='')}/{what}", body, without_a_web)


def _of_release(release_id: str, what: str) -> str:
    return f"releases/{quote(release_id, safe='')}/{what}"


def _post(stack: Stack, route: str, body: Mapping[str, object], without_a_web: str) -> dict[str, Any]:
    if "WebUrl" not in stack.outputs:
        raise CommandRefused(
            "this stack was deployed without a web API (WebAccess is none), and this command goes over it",
            cure=without_a_web,
        )
    url = f"{stack.outputs['WebUrl'].rstrip('/')}/api/{route}"
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = AWSRequest("POST", url, data=json.dumps(body).encode(), headers=headers)
    _sign(request, stack)
    web = URLLib3Session(timeout=TIMEOUT_SECONDS, verify=_trusted(stack), proxies=get_environ_proxies(url))
    response = web.send(request.prepare())
    document = _document(response.content)
    # A proxy, or another site at the address, may say 200 to anything.
    if response.status_code != 200 or not OF_THE_API & document.keys():
        raise _refusal(response.status_code, document, stack)
    return document


def _sign(request: AWSRequest, stack: Stack) -> None:
    credentials = stack.session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    SigV4Auth(credentials.get_frozen_credentials(), "execute-api", stack.session.region_name).add_auth(request)


def _trusted(stack: Stack) -> Any:
    """The certificates that AWS_CA_BUNDLE or the profile names, as for every other call."""
    return stack.session._session.get_config_variable("ca_bundle") or True


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(status: int, document: dict[str, Any], stack: Stack) -> CommandRefused:
    message = str(document.get("message", "no reason given"))
    if "error" in document:
        return CommandRefused(message, cure=str(document.get("cure", "")))
    if status == 200:
        return CommandRefused(
            f"what answers at {stack.outputs['WebUrl']} is not Lockkeeper's API: it said 200 and nothing of what was asked",
            cure="see where the stack's WebUrl leads (a proxy?), and look at `lockkeeper show` for what became of it",
        )
    if status == 403:
        return CommandRefused(
            f"the API did not let {stack.caller()} in: {message}",
            cure="look at your credentials; the identity needs execute-api:Invoke on Lockkeeper's web API",
        )
    return CommandRefused(
        f"the API at {stack.outputs['WebUrl']} answered {status}: {message}",
        cure="look at `lockkeeper show` for what became of it, and at the log of ServeWeb for why",
    )
