"""Sign-in and sign-out. What the provider says is checked in `use_cases.sign_in`; here are redirects, cookies and one form."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote, unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from aws_lambda_powertools.shared.cookies import Cookie
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.form_token import form_token, is_form_token
from lockkeeper.domain.sign_in import ATTEMPT_LASTS, SESSION_LASTS, Session, local_path, new_secret
from lockkeeper.entry import logger
from lockkeeper.use_cases.sign_in import begin_sign_in, complete_sign_in, name_of_sign_in, session_of, sign_out

from functions.serve_web.answers import HEADERS, FormRefused, page, submitted
from functions.serve_web.cookies import NEXT, SESSION, SIGN_IN, cookie, secret_in

SIGN_OUT = "sign-out"
router = APIGatewayHttpRouter()


@router.get("/sign-in")
def go_to_provider() -> Response[str]:
    world: AwsWorld = router.context["world"]
    event = router.current_event
    # Tabs that are opened together share one cookie: a new secret would make the others strangers.
    kept = secret_in(event.cookies, SIGN_IN, world.web_url)
    browser = kept if len(kept) == len(new_secret()) else new_secret()
    begun, seconds = begin_sign_in(browser, world), int(ATTEMPT_LASTS.total_seconds())
    # Where one goes on may be a personal link, of which nothing but the hash is kept here: the browser keeps it.
    wanted = quote(local_path(event.query_string_parameters.get("next", "/")), safe="")
    kept_there = cookie(f"{NEXT}-{begun.name}", wanted, seconds, world.web_url)
    return redirect(begun.address, cookie(SIGN_IN, browser, seconds, world.web_url), kept_there)


@router.get("/sign-in/callback")
def come_back() -> Response[str]:
    world: AwsWorld = router.context["world"]
    event = router.current_event
    browser = secret_in(event.cookies, SIGN_IN, world.web_url)
    answer = dict(event.query_string_parameters)
    done = complete_sign_in(answer, browser, world)
    logger.info("signed in", person=done.session.person.email, subject=done.session.person.subject)
    # Whoever was signed in at this browser before is not any more.
    sign_out(secret_in(event.cookies, SESSION, world.web_url), world)
    lasting = cookie(SESSION, done.secret, int(SESSION_LASTS.total_seconds()), world.web_url)
    place = f"{NEXT}-{name_of_sign_in(answer.get('state', ''))}"
    wanted = unquote(secret_in(event.cookies, place, world.web_url))
    return redirect(local_path(wanted), lasting, cookie(place, "", 0, world.web_url))


@router.post("/sign-out")
def leave() -> Response[str]:
    world: AwsWorld = router.context["world"]
    secret = secret_in(router.current_event.cookies, SESSION, world.web_url)
    if secret:
        if not is_form_token(submitted(router.current_event).get("token", ""), secret, SIGN_OUT):
            raise FormRefused("the form is not of this session", cure="load the board again and use its button")
        sign_out(secret, world)
    left = page("signed_out.html.j2", 200)
    left.cookies.append(cookie(SESSION, "", 0, world.web_url))
    return left


def session_at(event: APIGatewayProxyEventV2, world: AwsWorld) -> Session | None:
    """Who is signed in at the browser that a request comes from."""
    return session_of(secret_in(event.cookies, SESSION, world.web_url), world)


def sign_out_token(event: APIGatewayProxyEventV2, world: AwsWorld) -> str:
    """What the form that signs out has to carry; empty where nobody is signed in."""
    secret = secret_in(event.cookies, SESSION, world.web_url)
    return form_token(secret, SIGN_OUT) if secret else ""


def sign_in_address(event: APIGatewayProxyEventV2) -> str:
    """The way to sign in that leads back to the page of a request."""
    query = f"?{event.raw_query_string}" if event.raw_query_string else ""
    return f"/sign-in?next={quote(event.raw_path + query, safe='')}"


def for_people(
    where: APIGatewayHttpRouter,
) -> Callable[[Callable[..., Response[str]]], Callable[..., Response[str]]]:
    """A page for whoever is signed in; everybody else is sent to sign in and comes back to it."""

    def decorate(show: Callable[..., Response[str]]) -> Callable[..., Response[str]]:
        @wraps(show)
        def guarded(**parts: Any) -> Response[str]:
            session = session_at(where.current_event, where.context["world"])
            if session is None:
                return redirect(sign_in_address(where.current_event))
            return show(session, **parts)

        return guarded

    return decorate


def redirect(address: str, *cookies: Cookie) -> Response[str]:
    return Response(
        status_code=303,
        content_type="text/plain",
        body="",
        headers={**HEADERS, "Location": address},
        cookies=[*cookies],
    )
