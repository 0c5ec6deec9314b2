"""AWS's runtime client in a sandbox whose AWS calls may break: what runs instead of `awslambdaric` while there is a fault plan.

    python -S -P faulty_runtime.py PLAN_FOLDER HANDLER

It hooks every botocore session of the process, whoever makes it, and asks the plan at every call. To be cut is to end as a
sandbox ends that was killed: at once, without an answer. It imports nothing of the project, since it runs beside the function.
"""

import contextlib
import hashlib
import json
import os
import re
import sys
import threading
import time
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import botocore.handlers
from awslambdaric import __main__ as runtime_client
from awslambdaric import bootstrap
from botocore.awsrequest import AWSResponse

Fault = dict[str, Any]


class Body:
    """The body of an answer that came over no network."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_how: Any) -> Any:
        yield self._content


class Breaker:
    """Counts the calls of an invocation and breaks those that the plan names."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._function = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self._lock = threading.RLock()
        self._protocols: dict[str, str] = {}
        self.begin("", "")

    def begin(self, request_id: str, event: str) -> None:
        """A new invocation: the plan is read anew, and calls are counted from 1."""
        self._request_id = request_id
        self._event = event
        self._error = ""
        self._calls: list[str] = []
        self._places: list[str] = []
        self._under_way: set[int] = set()
        self._just_answered = 0
        planned = json.loads((self._folder / "plan.json").read_text())
        mine = [
            one for one in planned if one["function"] == self._function and all(text in event for text in one["about"])
        ]
        self._planned = [one for one in mine if not one["fresh"]]
        self._reserved = sum(one["times"] for one in self._planned if one["when"] != "held")
        self._fresh = [one for one in mine if one["fresh"] and self._reserved < one["times"]]

    def before_call(self, model: Any, context: dict[str, Any], **_more: Any) -> None:
        """Hook of botocore: an operation is about to be called."""
        service = model.service_model.service_id.hyphenize()
        with self._lock:
            self._protocols[service] = model.service_model.resolved_protocol
            operation = f"{service}:{model.name}"
            self._calls.append(operation)
            self._places.append(place_of_call())
            number = context["fault_call"] = len(self._calls)
            self._under_way.add(number)
            answered = 0 if len(self._under_way) > 1 else self._just_answered
            self._just_answered = 0
        for fault in self._meant("held", number):
            if self._happens(fault, number, operation):
                self._hold(fault)
        self._cut(self._meant("before", number), self._fresh, "before", number, answered)

    def after_call(self, context: dict[str, Any], **_more: Any) -> None:
        """Hook of botocore: an operation was answered."""
        number = context["fault_call"]
        with self._lock:
            self._under_way.discard(number)
            self._just_answered = number
            others = bool(self._under_way)
        # Until the next call begins nothing happens that AWS would see: a fresh cut waits for that, unless other calls are under way.
        self._cut(self._meant("after", number), self._fresh if others else [], "after", number)

    def after_call_error(self, context: dict[str, Any], **_more: Any) -> None:
        """Hook of botocore: an operation was not answered at all."""
        with self._lock:
            self._under_way.discard(context["fault_call"])
            self._just_answered = 0

    def before_end(self) -> None:
        """The function is through with the event, and its answer not yet on the way: a cut before the next call, which does not come."""
        if number := self._just_answered:
            after = len(self._calls) + 1
            due = [
                one for one in self._planned if (one["when"], one["operation"], one["call"]) == ("before", "", after)
            ]
            self._cut(due, self._fresh, "after", number)

    def before_send(self, event_name: str, request: Any, **_more: Any) -> AWSResponse | None:
        """Hook of botocore: a request, which may be a repetition, is about to leave. An answer keeps it here."""
        _, service, name = event_name.split(".")
        operation = f"{service}:{name}"
        number = len(self._calls) - self._calls[::-1].index(operation)
        for fault in self._meant("instead", number):
            if self._happens(fault, number, operation):
                return answer(request.url, self._protocols[service], fault)
        return None

    def broke(self, error: BaseException) -> None:
        """The invocation ends with an error: its name, or that of what the project's entry made it of because nobody had foreseen it."""
        frame = error.__traceback__
        while frame and frame.tb_next:
            frame = frame.tb_next
        by_entry = frame and frame.tb_frame.f_code.co_filename.endswith("/lockkeeper/entry.py")
        self._error = type(error.__cause__ if by_entry and error.__cause__ else error).__name__

    def end(self, cut: str = "", answered: int = 0, fresh: bool = False) -> None:
        """Write down what the invocation called, and where it was cut if it was: after which answer, and by a fresh fault or another."""
        line = {
            "function": self._function,
            "request": self._request_id,
            "event": self._event,
            "calls": self._calls,
            "places": self._places,
            "faults": [fault["name"] for fault in self._planned or self._fresh],
            "cut": cut,
            "answered": answered,
            "fresh": fresh,
            "error": self._error,
        }
        with (self._folder / "invocations.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line) + "\n")

    def _cut(self, planned: list[Fault], fresh: list[Fault], when: str, number: int, answered: int = 0) -> None:
        """End the process where one of the faults happens here: before or after a call, before it also right after an answer."""
        operation = self._calls[number - 1]
        with self._lock:
            for fault in planned:
                if self._happens(fault, number, operation):
                    self.end(f"{when} {number}", answered)
                    os._exit(1)
            for fault in fresh:
                marks = self._marks(fault, when, number) + (self._marks(fault, "after", answered) if answered else [])
                if marks and self._happens(fault, number, operation):
                    self.end(f"{when} {number}", answered, fresh=True)
                    os._exit(1)
                for mark in marks:
                    mark.unlink()

    def _meant(self, when: str, number: int) -> list[Fault]:
        """The planned faults that are about the call of this number."""
        return [fault for fault in self._planned if fault["when"] == when and self._is_meant(fault, number)]

    def _is_meant(self, fault: Fault, number: int) -> bool:
        """Whether a fault is about the call of this number: of its operation, the how many-th of it."""
        counted = [fault["operation"] in ("", operation) for operation in self._calls[:number]]
        return counted[-1] and fault["call"] in (0, sum(counted))

    def _marks(self, fault: Fault, when: str, number: int) -> list[Path]:
        """The marks that a fresh fault may happen at a call, of those that nobody has made before."""
        operation, place = self._calls[number - 1], self._places[number - 1]
        made = list(zip(self._calls[:number], self._places[:number], strict=True)).count((operation, place))
        point = [when, operation, min(made, 2)]
        site = up_to(fault["until"], place)
        places = {
            one
            for one, new in ((site, [*point, site] not in fault["known"]), (place, [*point, place] in fault["also"]))
            if new
        }
        marks = []
        for one in places:
            text = json.dumps([self._function, *point, one])
            mark = self._folder / "fresh" / f"{fault['fresh']}.{hashlib.sha256(text.encode()).hexdigest()}"
            with contextlib.suppress(FileExistsError), mark.open("x") as record:
                record.write(text)
                marks.append(mark)
        return marks

    def _hold(self, fault: Fault) -> None:
        """Wait before a call, until enough others wait there too."""
        until, wanted = time.monotonic() + fault["seconds"], fault["together"]
        while time.monotonic() < until:
            if wanted and len(list((self._folder / "fired").glob(f"{fault['name']}.[0-9]*"))) >= wanted:
                return
            time.sleep(0.05)

    def _which(self, fault: Fault) -> str:
        """Of a fresh fault, the event whose times are counted; nothing of others."""
        if not fault["fresh"]:
            return ""
        found = (re.search(pattern, self._event) for pattern in fault["each"])
        event = next((one[0] for one in found if one), self._event)
        return f".{hashlib.sha256(event.encode()).hexdigest()}"

    def _happens(self, fault: Fault, number: int, operation: str) -> bool:
        """Whether the fault has a time left; several sandboxes of a function share what is left."""
        record = {"function": self._function, "request": self._request_id, "call": number, "operation": operation}
        written = self._folder / "fired" / f".{os.getpid()}"
        written.unlink(
            missing_ok=True
        )  # Of a process before, whose number this one has: it is linked to what happened then.
        written.write_text(json.dumps(record))
        for turn in range(self._reserved if fault["fresh"] else 0, fault["times"]):
            # A link is made in one piece and never over another, so that each time is taken once and read whole.
            with contextlib.suppress(FileExistsError):
                os.link(written, self._folder / "fired" / f"{fault['name']}.{turn}{self._which(fault)}")
                return True
        return False


def place_of_call() -> str:
    """Where the project's code makes the call that is being made: `file:line` of each function on the way, the innermost first."""
    frame, lines = sys._getframe(1), []
    while frame is not None:
        _, project, path = frame.f_code.co_filename.rpartition("/lockkeeper/")
        line = f"{path}:{frame.f_lineno}"
        if project and line not in lines:
            lines.append(line)
        frame = frame.f_back
    return " < ".join(lines)


def up_to(pattern: str, place: str) -> str:
    """A place up to the first frame that a pattern matches: all of it where there is no pattern, or none that does."""
    frames = place.split(" < ")
    last = next((number for number, frame in enumerate(frames) if pattern and re.match(pattern, frame)), len(frames))
    return " < ".join(frames[: last + 1])


def answer(url: str, protocol: str, fault: Fault) -> AWSResponse:
    """The service's answer with an error, in the words of its protocol."""
    code, said = fault["error"], f"{fault['error']}: because of the fault plan"
    headers = {"x-amzn-requestid": "fault"}
    if protocol == "rest-xml":
        text = f"<Error><Code>{escape(code)}</Code><Message>{escape(said)}</Message></Error>"
    elif protocol == "query":
        error = f"<Error><Type>Sender</Type><Code>{escape(code)}</Code><Message>{escape(said)}</Message></Error>"
        text = f"<ErrorResponse>{error}<RequestId>fault</RequestId></ErrorResponse>"
    else:
        headers["x-amzn-errortype"] = code
        text = json.dumps({"__type": code, "message": said})
    return AWSResponse(url, fault["status"], headers, Body(text.encode()))


def watch_invocations(breaker: Breaker) -> None:
    """Tell the breaker where an invocation begins and ends."""
    handle = bootstrap.handle_event_request

    def watched(client: Any, handler: Any, request_id: str, event_body: Any, *more: Any) -> None:
        text = event_body.decode() if isinstance(event_body, bytes) else str(event_body)
        breaker.begin(request_id, text)

        def ending(event: Any, context: Any) -> Any:
            try:
                return handler(event, context)
            except BaseException as error:
                breaker.broke(error)
                raise
            finally:
                breaker.before_end()
                breaker.end()

        handle(client, ending, request_id, event_body, *more)

    bootstrap.handle_event_request = watched


def main() -> None:
    """Hook, then be the runtime client."""
    breaker = Breaker(Path(sys.argv[1]))
    # Every session registers these handlers when it is made, so that sessions under assumed roles are hooked as well.
    botocore.handlers.BUILTIN_HANDLERS += [
        ("before-call", breaker.before_call),
        ("after-call", breaker.after_call),
        ("after-call-error", breaker.after_call_error),
        ("before-send", breaker.before_send),
    ]
    watch_invocations(breaker)
    runtime_client.main(["awslambdaric", sys.argv[2]])


if __name__ == "__main__":
    main()
