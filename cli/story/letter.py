"""What an approver does: read the mail, open the link in it, decide on the page behind it."""

from __future__ import annotations

import email
import email.policy
import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode, urljoin

import urllib3

LINK = re.compile(r"https?://\S+/approvals/[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Page:
    """A page as a browser got it."""

    url: str
    status: int
    text: str


@dataclass
class Form:
    """A form of a page: where it goes, its fields with their values, and its buttons as (name, value, text)."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)


class FormReader(HTMLParser):
    """Collects the forms of a page, as far as a person without scripts could fill them in."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._button: tuple[str, str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", ""), given.get("method", "get").lower()))
        elif not self.forms:
            return
        elif tag == "button":
            self._button = (given.get("name", ""), given.get("value", ""))
        elif tag == "input" and given.get("type") in ("radio", "checkbox", "submit"):
            self.forms[-1].buttons.append((given.get("name", ""), given.get("value", ""), given.get("value", "")))
        elif tag in ("input", "textarea") and given.get("name"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._button is not None and data.strip():
            self.forms[-1].buttons.append((*self._button, data.strip()))
            self._button = None


def wait_for_link(mailbox: Path, address: str, about: str = "", *, timeout_seconds: float = 180.0) -> tuple[Path, str]:
    """Wait for a mail to this address with an approval link and these words; returns the newest such mail and its link.

    Raises:
        TimeoutError: no such mail arrived in time.
    """
    deadline = time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        for mail in sorted((mailbox / address).glob("*.eml"), reverse=True):
            text = read_text(mail)
            found = LINK.search(text)
            if found and about in text:
                return mail, found.group(0)
        time.sleep(0.2)
    raise TimeoutError(f"no mail with an approval link reached {address} within {timeout_seconds:.0f} s")


def read_text(mail: Path) -> str:
    """The plain text of a mail, decoded; empty for a mail without any."""
    message = email.message_from_bytes(mail.read_bytes(), policy=email.policy.default)
    body = message.get_body(("plain",))
    return str(body.get_content()) if body is not None else ""


def open_page(url: str) -> Page:
    """Fetch a page as a browser does, or a mail scanner."""
    answer = urllib3.request("GET", url, headers={"Accept": "text/html"}, retries=False, timeout=60)
    return Page(url, answer.status, answer.data.decode("utf-8", errors="replace"))


def press(page: Page, button: str, fields: dict[str, str]) -> Page:
    """Fill in the page's form that has this button (by value or text) and send it.

    Raises:
        LookupError: no form of the page has such a button or lacks one of the fields.
    """
    reader = FormReader()
    reader.feed(page.text)
    for form in reader.forms:
        for name, value, text in form.buttons:
            if button.casefold() in (value.casefold(), text.casefold()):
                unknown = sorted(set(fields) - set(form.fields))
                if unknown:
                    raise LookupError(f"the form has no field {', '.join(unknown)}")
                return _submit(page, form, {**form.fields, **fields, **({name: value} if name else {})})
    raise LookupError(f"the page has no form with a button {button!r}")


def _submit(page: Page, form: Form, values: dict[str, str]) -> Page:
    url = urljoin(page.url, form.action)
    answer = urllib3.request(
        form.method.upper(),
        url,
        body=urlencode(values),
        headers={"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"},
        retries=False,
        timeout=60,
    )
    return Page(url, answer.status, answer.data.decode("utf-8", errors="replace"))
