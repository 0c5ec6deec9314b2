"""The cookies: who is signed in, which browser a sign-in was begun in, and where it goes on. Neither scripts nor other sites get them."""

from collections.abc import Iterable

from aws_lambda_powertools.shared.cookies import Cookie, SameSite

SESSION = "lockkeeper-session"
SIGN_IN = "lockkeeper-sign-in"
NEXT = "lockkeeper-next"
"""Followed by the name of the sign-in: each goes on where it began."""


def cookie(name: str, secret: str, seconds: int, web_url: str) -> Cookie:
    """A cookie for this host alone; 0 seconds take it away. Over plain http, which is a laptop's, it cannot be `Secure`."""
    secure = is_secure(web_url)
    # Lax: the provider sends people back from another site, and links in mails come from nowhere.
    return Cookie(
        full_name(name, web_url),
        secret,
        path="/",
        secure=secure,
        http_only=True,
        max_age=seconds,
        same_site=SameSite.LAX_MODE,
    )


def secret_in(cookies: Iterable[str], name: str, web_url: str) -> str:
    """What a request's cookie holds; empty without one. Of two of that name neither counts: one of them was planted."""
    wanted = full_name(name, web_url)
    pairs = (part.strip().partition("=") for one in cookies for part in one.split(";"))
    found = {value for key, _, value in pairs if key == wanted}
    return found.pop() if len(found) == 1 else ""


def full_name(name: str, web_url: str) -> str:
    """Browsers take `__Host-` from this very host over https only: no other subdomain can plant one."""
    return f"__Host-{name}" if is_secure(web_url) else name


def is_secure(web_url: str) -> bool:
    return web_url.startswith("https://")
