"""How ServeWeb answers: pages and JSON with headers that keep links and content where they belong."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from lockkeeper.domain.approval import Answer, must_approve
from lockkeeper.domain.errors import (
    AdoptionRefused,
    AlreadyDecided,
    BrakeRefused,
    DecisionRefused,
    LinkRevoked,
    LinkUnknown,
    LockkeeperError,
    NotFromSlack,
    NothingToRelease,
    NotPermitted,
    OtherQuestion,
    ProviderFailed,
    QueryRefused,
    RequestClosed,
    RequestRepeated,
    SignInNeeded,
    SignInRefused,
    TryAgain,
    UnknownGroup,
    UnknownRelease,
)
from lockkeeper.domain.words import visible

HTTP_STATUS: dict[type[LockkeeperError], int] = {
    LinkUnknown: 404,
    UnknownRelease: 404,
    UnknownGroup: 404,
    QueryRefused: 400,
    BrakeRefused: 400,
    NotFromSlack: 401,
    SignInNeeded: 401,
    SignInRefused: 403,
    ProviderFailed: 502,
    NotPermitted: 403,
    RequestRepeated: 409,
    AlreadyDecided: 409,
    OtherQuestion: 409,
    NothingToRelease: 409,
    AdoptionRefused: 409,
    RequestClosed: 410,
    LinkRevoked: 410,
    TryAgain: 503,
}
TITLES = {
    400: "That could not be read",
    403: "You may not decide on this",
    404: "This link is not known",
    409: "Already decided",
    410: "This question is closed",
    503: "Somebody else was faster by a moment",
}
TITLES_OF_ERRORS: dict[type[LockkeeperError], str] = {
    LinkRevoked: "This link was revoked",
    UnknownRelease: "There is no such release",
    UnknownGroup: "There is no such group",
    SignInNeeded: "Please sign in",
    SignInRefused: "You could not be signed in",
    ProviderFailed: "Nobody can sign in at the moment",
}
"""Where the status alone would say the wrong thing."""
HEADERS = {
    # Pages hold a secret in their address and a model's names in their text: nothing may load, frame, cache or refer.
    "Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def shown(value: Any) -> Any:
    """Every text of a page: markup is escaped after this, and what hides or turns a text around is made visible here."""
    # What is escaped already is a text of a class of its own, and stays one.
    return type(value)(visible(str(value))) if type(value) is str or hasattr(value, "__html__") else value


templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined, finalize=shown
)
templates.globals["must_approve"] = must_approve


class FormRefused(DecisionRefused):
    """The form was not ours."""


def page(template: str, status: int, **values: Any) -> Response[str]:
    body = templates.get_template(template).render(**values)
    return Response(status_code=status, content_type="text/html; charset=utf-8", body=body, headers=dict(HEADERS))


def as_json(status: int, document: dict[str, Any]) -> Response[str]:
    return Response(
        status_code=status, content_type="application/json", body=json.dumps(document), headers=dict(HEADERS)
    )


def refusal(error: LockkeeperError, path: str) -> Response[str]:
    """What an error becomes: JSON where programs call, a page on the other routes; the status goes by the error's type."""
    # Behind a stage or a domain of one's own the path may begin with more than /api.
    by_program = "/api/" in path or path.endswith("/slack/interactions")
    return problem(error) if by_program else problem_page(error)


def problem(error: LockkeeperError) -> Response[str]:
    document = {"error": type(error).__name__, "message": error.message, "cure": error.cure}
    return as_json(HTTP_STATUS.get(type(error), 400), document)


def problem_page(error: LockkeeperError) -> Response[str]:
    status = HTTP_STATUS.get(type(error), 400)
    title = TITLES_OF_ERRORS.get(type(error)) or TITLES[status]
    return page("problem.html.j2", status, title=title, message=error.message, cure=error.cure)


def submitted(event: APIGatewayProxyEventV2) -> dict[str, str]:
    """The form's fields; the last value of each."""
    try:
        fields = parse_qs(event.decoded_body or "", max_num_fields=10)
    except ValueError as error:
        raise FormRefused("the form could not be read", cure="open the link again and use its buttons") from error
    return {name: values[-1] for name, values in fields.items()}


OBJECT = "send a JSON object with what /api/openapi.json names for this route"


def submitted_json(event: APIGatewayProxyEventV2) -> dict[str, Any]:
    """The body's JSON object."""
    try:
        document = json.loads(event.decoded_body or "{}")
    except ValueError as error:
        raise FormRefused("the body is no JSON", cure=OBJECT) from error
    if not isinstance(document, dict):
        raise FormRefused("the body is no JSON object", cure=OBJECT)
    return document


def caller_arn(event: APIGatewayProxyEventV2) -> str:
    """The AWS identity that API Gateway authenticated."""
    authorizer = event.request_context.authorizer
    if not authorizer or not authorizer.iam or not authorizer.iam.user_arn:
        raise NotPermitted("the caller was not authenticated", cure="sign the request with AWS credentials")
    return authorizer.iam.user_arn


def asked(answer: str) -> Answer:
    if answer not in set(Answer):
        raise FormRefused(f"the answer was {answer[:20]!r}", cure="answer `approve` or `reject`")
    return Answer(answer)
