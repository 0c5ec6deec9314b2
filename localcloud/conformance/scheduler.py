"""EventBridge Scheduler: schedules that fire when they are due, under the clock scale, with AWS's delivery."""

import json
import logging
import re
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from ministack.core import iam_actions, iam_evaluator, router
from ministack.core.responses import get_region, new_uuid, request_scope
from ministack.services import eventbridge, scheduler
from ministack.services.cloudformation import provisioners

from localcloud import runtime
from localcloud.clock import CLOCK
from localcloud.conformance.patching import replaces, wraps

Schedule = dict[str, Any]
Key = tuple[str, str, str]

TICK_SECONDS = 0.1

SCHEDULED_TIME, SCHEDULE_ARN = "<aws.scheduler.scheduled-time>", "<aws.scheduler.schedule-arn>"

logger = logging.getLogger(__name__)

_AT = re.compile(r"\s*at\(([^)]+)\)\s*")
_firings: dict[Key, tuple[float, float]] = {}
"""For each schedule: when it was last changed and when it last fired, so that a changed schedule starts anew."""


@dataclass(frozen=True)
class Due:
    """When a schedule is due, in epoch seconds of the laptop, and whether it fires only once."""

    at: float
    once: bool


def next_due(schedule: Schedule, fired: float | None) -> Due | None:
    """When the schedule fires next, None when it does not any more.

    Under a clock scale N, what is due in T is due in T/N, counted from the schedule's creation or last change, or from
    its last firing.
    """
    expression = str(schedule.get("ScheduleExpression", ""))
    since = fired or float(schedule.get("LastModificationDate") or schedule["CreationDate"])
    once = _AT.fullmatch(expression)
    if once:
        moment = datetime.fromisoformat(once.group(1).strip())
        zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
        planned = moment.replace(tzinfo=zone).timestamp()
        return None if fired else Due(since + CLOCK.shorten(max(planned - since, 0)), once=True)
    # The rate is already scaled: see `events.fire_rules_in_time`.
    interval = eventbridge._parse_rate_seconds(expression)
    if interval is not None:
        return Due(since + interval, once=False)
    fields = eventbridge._parse_cron_fields(expression)
    following = fields and eventbridge._cron_next_fire(fields, datetime.fromtimestamp(since, UTC))
    return Due(since + CLOCK.shorten(following.timestamp() - since), once=False) if following else None


def tick() -> None:
    """Fire every schedule that is due, in its own account and region."""
    now = time.time()
    for key, schedule in list(scheduler._schedules._data.items()):
        try:
            consider(key, schedule, now)
        except (KeyError, TypeError, ValueError, RuntimeError):
            logger.exception("The schedule %s cannot be evaluated.", schedule.get("Name"))


def consider(key: Key, schedule: Schedule, now: float) -> None:
    """Fire one schedule if it is enabled, inside its dates and due."""
    changed = float(schedule.get("LastModificationDate") or schedule["CreationDate"])
    known, fired = _firings.get(key, (changed, 0.0))
    if known != changed:
        fired = 0.0
    start, end = scheduler._to_epoch(schedule.get("StartDate")), scheduler._to_epoch(schedule.get("EndDate"))
    if schedule.get("State") != "ENABLED" or (start and now < start):
        return
    if end and now > end:
        complete(key, schedule)
        return
    due = next_due(schedule, fired or None)
    if due is None or now < due.at or (not due.once and overtakes_itself(schedule)):
        return
    _firings[key] = (changed, now)
    if due.once:
        complete(key, schedule)
    with request_scope(key[0], key[1]):
        deliver(schedule, now)


def overtakes_itself(schedule: Schedule) -> bool:
    """Whether the function that a schedule calls again and again is still at work, under a scaled clock.

    Its work takes the time it takes, while its pauses are scaled: on a slow machine it would be started faster than it ends.
    """
    target = str((schedule.get("Target") or {}).get("Arn", ""))
    return CLOCK.scale > 1 and runtime.IN_FLIGHT[target] > 0


def complete(key: Key, schedule: Schedule) -> None:
    """Delete a schedule that has nothing left to do, when it asks for that."""
    if schedule.get("ActionAfterCompletion") == "DELETE":
        scheduler._schedules._data.pop(key, None)
        _firings.pop(key, None)


def deliver(schedule: Schedule, now: float) -> None:
    """Invoke the target with its Input, or with an empty object, as Scheduler does."""
    target = schedule.get("Target") or {}
    event = {
        "EventId": new_uuid(),
        "Source": "aws.scheduler",
        "DetailType": "Scheduled Event",
        "Detail": "{}",
        "Time": int(now),
        "Resources": [schedule.get("Arn", "")],
    }
    rule = {"Arn": schedule.get("Arn", ""), "Name": schedule.get("Name", "")}
    # Scheduler puts facts about the call in the place of these words, wherever they stand in the input.
    due = datetime.fromtimestamp(int(now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = str(target.get("Input") or json.dumps({}))
    for word, fact in {SCHEDULED_TIME: due, SCHEDULE_ARN: str(schedule.get("Arn", ""))}.items():
        given = given.replace(word, fact)
    eventbridge._invoke_target({**target, "Input": given}, event, rule)


def loop() -> None:
    """The emulator looks every ten seconds; a one-time schedule of a scaled minute needs a closer look."""
    while True:
        time.sleep(TICK_SECONDS)
        tick()


def refuse_expressions_that_are_none() -> None:
    """The emulator keeps any text as a schedule's expression and never fires it; AWS refuses it."""
    for name in ("_create_schedule", "_update_schedule"):

        @wraps(scheduler, name)
        def change(original: Any, schedule_name: str, body: dict[str, Any]) -> Any:
            expression = str(body.get("ScheduleExpression", ""))
            if not is_expression(expression):
                return scheduler._error(400, "ValidationException", f"Invalid Schedule Expression {expression}.")
            return original(schedule_name, body)


def is_expression(text: str) -> bool:
    """Whether a text is `at(...)` with a time, `rate(...)` or `cron(...)`."""
    once = _AT.fullmatch(text)
    if not once:
        return eventbridge._parse_rate_seconds(text) is not None or eventbridge._parse_cron_fields(text) is not None
    try:
        return datetime.fromisoformat(once.group(1).strip()).tzinfo is None
    except ValueError:
        return False


def keep_schedule_properties() -> None:
    """The emulator's CloudFormation drops ActionAfterCompletion, the dates and the time zone of a schedule."""
    names = ("ActionAfterCompletion", "StartDate", "EndDate", "ScheduleExpressionTimezone", "KmsKeyArn")

    def kept(key: str, properties: dict[str, Any]) -> None:
        schedule = scheduler._schedules.get(key)
        if schedule is not None:
            schedule.update({name: properties[name] for name in names if name in properties})

    handler = provisioners._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]
    create, update = handler["create"], handler["update"]

    def create_schedule(logical_id: str, properties: dict[str, Any], stack_name: str) -> Any:
        created = create(logical_id, properties, stack_name)
        kept(f"{properties.get('GroupName', 'default')}/{created[0]}", properties)
        return created

    def update_schedule(physical_id: str, old: dict[str, Any], new: dict[str, Any], *rest: Any, **keywords: Any) -> Any:
        updated = update(physical_id, old, new, *rest, **keywords)
        kept(f"{new.get('GroupName', 'default')}/{updated[0]}", new)
        return updated

    handler["create"], handler["update"] = create_schedule, update_schedule


def check_passed_roles() -> None:
    """The emulator lets everybody hand any role to a schedule; AWS wants iam:PassRole on it."""

    @wraps(scheduler, "handle_request")
    async def handle(original: Any, method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        role_arn = passed_role(body) if method in ("POST", "PUT") and path.startswith("/schedules/") else ""
        caller = router.extract_access_key_id(headers, query)
        if role_arn and caller:
            passed_to = {"iam:PassedToService": "scheduler.amazonaws.com"}
            denied = iam_evaluator.enforce(
                caller, "iam:PassRole", "iam", get_region(), resource_arn=role_arn, service_context=passed_to
            )
            if denied is not None:
                who = getattr(denied, "principal_arn", "")
                return iam_actions.access_denied_response(
                    "scheduler", "iam:PassRole", who, new_uuid(), headers=headers, resource_arn=role_arn
                )
        return await original(method, path, headers, body, query)


def passed_role(body: bytes) -> str:
    """The role that a request hands to a schedule's target, or an empty string."""
    try:
        return str(json.loads(body or b"{}").get("Target", {}).get("RoleArn", ""))
    except (ValueError, AttributeError):
        return ""


def start() -> None:
    """Start the loop once."""
    if not any(thread.name == "schedules" for thread in threading.enumerate()):
        threading.Thread(target=loop, daemon=True, name="schedules").start()


def install() -> None:
    """Apply every patch of this service."""
    replaces(scheduler, "start_scheduler", start)
    keep_schedule_properties()
    refuse_expressions_that_are_none()
    check_passed_roles()
