"""The page behind a personal link, and the form on it."""

from urllib.parse import quote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.approval import Decision, permit_at_link
from lockkeeper.domain.comparison import compare
from lockkeeper.domain.errors import LockkeeperError, NotPermitted, SignInNeeded
from lockkeeper.domain.form_token import form_token, is_form_token
from lockkeeper.domain.prices import change_in_words
from lockkeeper.entry import logger
from lockkeeper.use_cases.decide_approval import Question, decide_by_link, open_link

from functions.serve_web.answers import FormRefused, asked, page, submitted
from functions.serve_web.sign_in import session_at


def show(link: str, event: APIGatewayProxyEventV2, world: AwsWorld) -> Response[str]:
    """The question with its evidence. Reading changes nothing."""
    question = open_link(link, world)
    logger.append_keys(release_id=question.release.release_id)
    return _page(question, link, reader=_reader(event, world))


def decide(link: str, event: APIGatewayProxyEventV2, world: AwsWorld) -> Response[str]:
    """What the form's reader answers; the page again, with what they decided."""
    form = submitted(event)
    question = open_link(link, world)
    logger.append_keys(release_id=question.release.release_id)
    answer = asked(form.get("answer", ""))
    # A link decides for whoever holds it; that its page was seen first, with this very evidence, the form proves.
    if not is_form_token(form.get("token", ""), link, question.link, question.request.seal):
        raise FormRefused(
            "the form does not come from the page behind this link, or its evidence is another now",
            cure="open the link again and use its buttons",
        )
    reader = _reader(event, world)
    decided = decide_by_link(link, answer, form.get("comment", ""), world, signed_in_as=reader).decisions[-1]
    logger.info("decided by link", answer=str(decided.answer), approver=decided.approver)
    return _page(open_link(link, world), link, decided, reader=reader)


def _reader(event: APIGatewayProxyEventV2, world: AwsWorld) -> str:
    """The verified e-mail of whoever is signed in; empty for nobody."""
    session = session_at(event, world)
    return session.person.email if session else ""


def _page(question: Question, link: str, decided: Decision | None = None, *, reader: str = "") -> Response[str]:
    judged = question.champion_release
    return page(
        "approval.html.j2",
        200,
        question=question,
        decided=decided,
        token=form_token(link, question.link, question.request.seal),
        rows=compare(question.release.verdicts, judged.verdicts if judged else ()),
        champions_about=judged.told if judged else {},
        change=change_in_words(judged.endpoint_monthly_usd, question.release.endpoint_monthly_usd) if judged else "",
        refused=_refusal(question, reader),
        sign_in=f"/sign-in?next=/approvals/{quote(link, safe='')}",
    )


def _refusal(question: Question, reader: str) -> LockkeeperError | None:
    """Why whoever reads the page cannot decide on it."""
    try:
        permit_at_link(question.request, question.approver, reader)
    except (SignInNeeded, NotPermitted) as refused:
        return refused
    return None
