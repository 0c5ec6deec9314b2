"""A stand-in of Slack on the laptop: it takes an app's messages, shows them, and presses buttons as Slack would.

It listens on 127.0.0.1, knows three methods of the Web API, refuses what Slack refuses, and signs what it sends with the app's signing
secret. Nothing leaves the machine.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from localcloud import listening
from localcloud.slack_blocks import page_of, problems_of

CHANNEL = "C0LAPTOP"
BOT_TOKEN = "xoxb-of-the-laptop"
SIGNING_SECRET = "signs-on-the-laptop-only"
"""Neither is a secret: both exist on this machine only."""
MEMBER = "U0ADA0ADA"
"""Who presses buttons on the page, unless somebody else's id is written beside them."""
LARGEST = 2_000_000
PRESS_SECONDS = 300

Message = dict[str, Any]


class Workspace:
    """One channel, one app. Safe to use by several threads."""

    def __init__(self, interactions_url: str, log: Path | None = None) -> None:
        self.interactions_url = interactions_url
        self.busy = 0
        """How many of the next calls are answered 429."""
        self._messages: list[Message] = []
        self._log = log
        self._changing = threading.RLock()

    def messages(self) -> list[Message]:
        """What stands in the channel, in order; `whispered_to` is empty for what everybody sees."""
        with self._changing:
            return list(json.loads(json.dumps(self._messages)))

    def call(self, method: str, arguments: Message) -> Message:
        """The answer of the Web API."""
        with self._changing:
            refused = self._refusal(method, arguments)
            answer = {"ok": False, **refused} if refused else self._take(method, arguments)
            if self._log:
                with self._log.open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"method": method, **arguments, "answer": answer}) + "\n")
        return answer

    def _refusal(self, method: str, arguments: Message) -> Message:
        if method not in ("chat.postMessage", "chat.update", "chat.postEphemeral"):
            return {"error": "unknown_method"}
        if arguments.get("channel") != CHANNEL:
            return {"error": "channel_not_found"}
        if not arguments.get("text"):
            return {"error": "no_text"}
        problems = problems_of(arguments)
        return {"error": "invalid_blocks", "errors": problems} if problems else {}

    def _take(self, method: str, arguments: Message) -> Message:
        shown = {"text": arguments["text"], "blocks": arguments["blocks"]}
        if method == "chat.update":
            for message in self._messages:
                if message["ts"] == arguments.get("ts") and not message["whispered_to"]:
                    message.update(shown, edited=True)
                    return {"ok": True, "channel": CHANNEL, "ts": message["ts"]}
            return {"ok": False, "error": "message_not_found"}
        now = time.time()
        timestamp = f"{now:.0f}.{len(self._messages) + 1:06}"
        at = datetime.fromtimestamp(now, UTC).strftime("%H:%M")
        whispered_to = str(arguments.get("user", "")) if method == "chat.postEphemeral" else ""
        self._messages.append({"ts": timestamp, "at": at, "edited": False, "whispered_to": whispered_to, **shown})
        return {"ok": True, "channel": CHANNEL, "ts": timestamp}

    def delete(self, timestamp: str) -> None:
        """Somebody deletes a message."""
        with self._changing:
            self._messages = [one for one in self._messages if one["ts"] != timestamp]

    def press(self, timestamp: str, user: str) -> tuple[int, str]:
        """Press the button of a message as a member; the status and body of the answer. `LookupError` where there is no button."""
        for message in self.messages():
            for block in message["blocks"]:
                if message["ts"] == timestamp and block["type"] == "actions":
                    return send(self.interactions_url, form_of(message, block["elements"][0], user))
        raise LookupError("there is no button")


def form_of(message: Message, button: Message, user: str) -> bytes:
    """The body that Slack sends when a member presses a button."""
    action = {"type": "button", "block_id": "b", "action_ts": f"{time.time():.6f}"}
    payload = {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": "T0LAPTOP"},
        "api_app_id": "A0LAPTOP",
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": CHANNEL, "is_ephemeral": False},
        "channel": {"id": CHANNEL, "name": "models"},
        "message": {"type": "message", "text": message["text"], "blocks": message["blocks"], "ts": message["ts"]},
        "actions": [{**action, **{name: button[name] for name in ("action_id", "value", "text")}}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


def signature_of(body: bytes, timestamp: str, secret: str = SIGNING_SECRET) -> str:
    """What Slack puts into `X-Slack-Signature`. Source: "Verifying requests from Slack"."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def send(url: str, body: bytes, timestamp: str = "", signature: str | None = None) -> tuple[int, str]:
    """Send a form as Slack does, signed unless a signature is given; the status and body of the answer."""
    timestamp = timestamp or str(int(time.time()))
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature_of(body, timestamp) if signature is None else signature,
    }
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - http, 127.0.0.1
    try:
        with urllib.request.urlopen(request, timeout=PRESS_SECONDS) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Handler(BaseHTTPRequestHandler):
    """`/api/<method>` for apps, `/` for people, `/messages` for tests."""

    workspace: Workspace
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/messages":
            self._answer(200, json.dumps(self.workspace.messages()), "application/json")
        elif self.path == "/":
            self._answer(200, page_of(self.workspace.messages(), MEMBER), "text/html; charset=utf-8")
        else:
            self._answer(404, "there is nothing here", "text/plain")

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            self._answer(413, "too large", "text/plain")
            return
        body = self.rfile.read(int(length))
        if self.path.startswith("/api/"):
            self._api(self.path.removeprefix("/api/"), body)
        elif self.path == "/press" and self.headers.get("Origin", self._own_origin()) == self._own_origin():
            self._press(body)
        else:
            self._answer(404, "there is nothing here", "text/plain")

    def _own_origin(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def _api(self, method: str, body: bytes) -> None:
        if self.workspace.busy > 0:
            self.workspace.busy -= 1
            answer = json.dumps({"ok": False, "error": "ratelimited"})
            self._answer(429, answer, "application/json", {"Retry-After": "30"})
            return
        if self.headers.get("Authorization") != f"Bearer {BOT_TOKEN}":
            self._answer(200, json.dumps({"ok": False, "error": "invalid_auth"}), "application/json")
            return
        try:
            arguments = json.loads(body)
        except ValueError:
            arguments = {}
        self._answer(200, json.dumps(self.workspace.call(method, arguments)), "application/json")

    def _press(self, body: bytes) -> None:
        fields = {name: values[-1] for name, values in parse_qs(body.decode(errors="replace")).items()}
        try:
            status, _ = self.workspace.press(fields.get("ts", ""), fields.get("user", "").strip())
        except LookupError:
            self._answer(404, "that button is gone; load the page again", "text/plain")
            return
        if status == 200:
            self._answer(303, "", "text/plain", {"Location": "/"})
        else:
            self._answer(502, f"the app answered {status}; Slack would show that it failed", "text/plain")

    def _answer(self, status: int, body: str, kind: str, headers: dict[str, str] | None = None) -> None:
        content = body.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """The log has each call with its answer."""


def serve(workspace: Workspace, place: socket.socket) -> ThreadingHTTPServer:
    """Listen on 127.0.0.1 in threads of this process; `shutdown` and `server_close` end it."""
    return listening.serve(place, type("Bound", (Handler,), {"workspace": workspace}), "slack")
