"""A press of the button in Slack: genuine, new, read, decided, answered; within three seconds, so Slack itself is not called here."""

import base64
from datetime import timedelta
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.errors import DecisionRefused, LinkUnknown, NotFromSlack, RequestRepeated
from lockkeeper.domain.events import Unusable
from lockkeeper.domain.slack_press import read_press
from lockkeeper.entry import logger
from lockkeeper.use_cases.decide_approval import decide_by_slack

from functions.serve_web.answers import FormRefused, as_json

LARGEST_BODY = 1_000_000
"""Bytes. Slack sends the message along, of which the texts are 30 kB at most."""
SIGNATURE_LIVES = timedelta(minutes=10)
"""A signature is good for five minutes before and after its time."""
FORM = "application/x-www-form-urlencoded"


def answer_slack(event: APIGatewayProxyEventV2, world: AwsWorld) -> Response[str]:
    """200 for what Slack sent, also where the press does not count: Slack shows any other status as a failure of the app.

    Why it does not count reaches the person through `Approval Refused` and `notify`, since Slack reads no answer to a press.
    """
    read = read_press(_payload(event, world))
    if isinstance(read, Unusable):
        logger.info(f"ignored: {read.reason}")
        return as_json(200, {"ignored": read.reason})
    logger.append_keys(release_id=read.shown.release_id)
    try:
        decided = decide_by_slack(read, world)
    except DecisionRefused as refused:
        logger.warning(f"refused: {type(refused).__name__}: {refused}", slack_user=read.user)
        return as_json(200, {"refused": type(refused).__name__, "message": refused.message, "cure": refused.cure})
    logger.info("decided in slack", answer="approve", approver=decided.decisions[-1].approver)
    return as_json(200, {"status": str(decided.status), **decided.decisions[-1].to_json()})


def _payload(event: APIGatewayProxyEventV2, world: AwsWorld) -> str:
    """The form's `payload` of a request that Slack signed and that was not received before."""
    if world.slack is None:
        raise LinkUnknown("Slack is not used here", cure="give the stack a SlackChannel, see docs/slack.md")
    body = _raw_body(event)
    signature = event.headers.get("x-slack-signature") or ""
    if not world.slack.is_genuine(body, event.headers.get("x-slack-request-timestamp") or "", signature):
        raise NotFromSlack("the request is not signed by Slack, or not now", cure="press the button again")
    if (event.headers.get("content-type") or "").partition(";")[0].strip().lower() != FORM:
        raise FormRefused("the request is no form", cure="press the button again")
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
    except ValueError as error:
        raise FormRefused("the form could not be read", cure="press the button again") from error
    if len(fields.get("payload", [])) != 1:
        raise FormRefused("the form has no payload", cure="press the button again")
    if not world.ledger.remember(f"slack {signature}", world.clock.now() + SIGNATURE_LIVES):
        raise RequestRepeated("the request was received before", cure="press the button again")
    return fields["payload"][0]


def _raw_body(event: APIGatewayProxyEventV2) -> bytes:
    """The very bytes that were signed: API Gateway sends forms on in base64."""
    text = event.body or ""
    if len(text) > 2 * LARGEST_BODY:
        raise FormRefused("the request is too large", cure="press the button again")
    try:
        body = base64.b64decode(text, validate=True) if event.is_base64_encoded else text.encode()
    except ValueError as error:
        raise FormRefused("the body could not be read", cure="press the button again") from error
    if len(body) > LARGEST_BODY:
        raise FormRefused("the request is too large", cure="press the button again")
    return body
