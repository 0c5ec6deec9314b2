"""Block Kit as far as Lockkeeper's messages use it: what Slack refuses of a message, and the message as a page shows it.

Source of the limits: Slack's reference of blocks, elements and composition objects.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

MOST_BLOCKS, MOST_FIELDS, MOST_ELEMENTS = 50, 10, 25
LIMITS = {"header": 150, "section": 3000, "field": 2000, "context": 3000, "button": 75, "value": 2000}
CONFIRM_LIMITS = {"title": 100, "text": 300, "confirm": 30, "deny": 30}
TOKEN = re.compile(
    r"<@(?P<user>[UW][A-Z0-9]+)>|<!date\^(?P<seconds>\d+)\^[^|>]*\|(?P<date>[^>]*)>|\*(?P<bold>[^*\n]+)\*"
)


def problems_of(message: dict[str, Any]) -> list[str]:
    """Why Slack would answer `invalid_blocks`; empty for a message that it takes."""
    blocks = message.get("blocks") or []
    found = [f"{len(blocks)} blocks"] if not 1 <= len(blocks) <= MOST_BLOCKS else []
    for block in blocks:
        found += [f"{block.get('type')}: {problem}" for problem in _problems_in(block)]
    return found


def _problems_in(block: dict[str, Any]) -> Iterator[str]:
    kind = block.get("type", "")
    if kind not in ("header", "section", "context", "actions"):
        yield "an unknown block"
        return
    if kind in ("header", "section") and "fields" not in block:
        yield from _text(block.get("text"), LIMITS[kind], plain=kind == "header")
    fields = block.get("fields", [])
    if len(fields) > MOST_FIELDS:
        yield f"{len(fields)} fields"
    for field in fields:
        yield from _text(field, LIMITS["field"])
    elements = block.get("elements", [])
    if kind in ("context", "actions") and not 1 <= len(elements) <= MOST_ELEMENTS:
        yield f"{len(elements)} elements"
    for element in elements:
        yield from _text(element, LIMITS["context"]) if kind == "context" else _button(element)


def _button(element: dict[str, Any]) -> Iterator[str]:
    yield from _text(element.get("text"), LIMITS["button"], plain=True)
    if not element.get("action_id") or len(element.get("value", "")) > LIMITS["value"]:
        yield "a button without an action_id, or with too long a value"
    confirm = element.get("confirm")
    for part, limit in CONFIRM_LIMITS.items() if confirm else ():
        yield from _text(confirm.get(part), limit, plain=part != "text")


def _text(text: Any, limit: int, *, plain: bool = False) -> Iterator[str]:
    if not isinstance(text, dict) or text.get("type") not in ("plain_text", "mrkdwn"):
        yield "no text object"
    elif plain and text["type"] != "plain_text":
        yield "formatted, where only plain text may stand"
    elif not 1 <= len(text.get("text", "")) <= limit:
        yield f"{len(text.get('text', ''))} characters of {limit}"
    elif re.search(r"[<>]", TOKEN.sub("", text["text"])):
        # Slack takes it, and makes of it what it likes; nothing of Lockkeeper's may.
        yield "an angle bracket that is not escaped"


def shown(text: dict[str, Any]) -> Markup:
    """A text object as HTML, with line breaks; what is formatted has bold words, mentions and times."""
    words = text["text"]
    if text["type"] == "plain_text":
        return _lines(words)
    pieces, end = Markup(), 0
    for token in TOKEN.finditer(words):
        pieces += _lines(words[end : token.start()])
        if token["user"]:
            pieces += Markup('<span class="mention">@{}</span>').format(token["user"])
        elif token["date"]:
            pieces += _lines(token["date"])
        else:
            pieces += Markup("<b>{}</b>").format(html.unescape(token["bold"]))
        end = token.end()
    return pieces + _lines(words[end:])


def _lines(words: str) -> Markup:
    return Markup("<br>").join(html.unescape(words).split("\n"))


_page = Environment(
    loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
).get_template("slack_page.html.j2")


def page_of(messages: list[dict[str, Any]], user: str) -> str:
    """The channel as HTML; `user` is whose id stands beside the button."""
    return _page.render(messages=messages, shown=shown, user=user)
