"""Task states: deadlines, heartbeats, retries and callbacks as Step Functions runs them.

The emulator's own executor swallows the error of a function that was to call back, keeps one token over all attempts,
crashes on a JSONata `TimeoutSeconds`, ignores `HeartbeatSeconds`, `MaxDelaySeconds` and the payload limit, and counts
callback deadlines in real seconds whatever the clock scale. Those are one loop, so the loop is written anew here; paths,
expressions, service calls and the history stay the emulator's.
"""

import contextvars
import json
import random
import threading
import time
import traceback
from dataclasses import dataclass
from typing import Any

from ministack.services import stepfunctions
from ministack.services.stepfunctions import _ExecutionError as ExecutionError

from localcloud.clock import CLOCK
from localcloud.conformance.callback_tokens import OFFICE, OpenTask
from localcloud.conformance.patching import replaces
from localcloud.settings import PAYLOAD_LIMIT_BYTES

State = dict[str, Any]
Context = dict[str, Any]

CALLBACK = ".waitForTaskToken"
ONE_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True)
class Limits:
    """A task's deadlines in AWS's seconds; None where the state names none."""

    timeout: float | None
    heartbeat: float | None


def execute_task(state: State, raw_input: Any, execution: State, context: Context) -> tuple[Any, str | None]:
    """Run a Task state to its output and the next state's name, with its Retry and Catch."""
    retries: dict[int, int] = {}
    while True:
        context["State"]["RetryCount"] = sum(retries.values())
        try:
            result = attempt(state, raw_input, execution, context)
            return finish(state, raw_input, context, result)
        except ExecutionError as error:
            timed_out = error.error in ("States.Timeout", "States.HeartbeatTimeout")
            kind = "TaskTimedOut" if timed_out else "TaskFailed"
            details = {"error": error.error, "cause": error.cause, "resource": state.get("Resource", "")}
            stepfunctions._add_event(execution, kind, {f"{kind[0].lower()}{kind[1:]}EventDetails": details})
            if execution["status"] != "RUNNING":
                raise
            pause = retry_pause(state, error.error, retries)
            if pause is None:
                return catch(state, raw_input, context, error)
            stepfunctions._scaled_sleep(pause)


def attempt(state: State, raw_input: Any, execution: State, context: Context) -> Any:
    """One attempt: its own token, its own arguments, its own deadlines."""
    resource = state.get("Resource", "")
    calls_back = CALLBACK in resource
    if calls_back:
        context["Task"] = {"Token": OFFICE.issue(execution["executionArn"])}
    arguments = task_arguments(state, raw_input, context)
    limits = task_limits(state, raw_input, context)
    refuse_oversized(arguments, context)
    kind = "lambda" if "lambda" in resource else "states"
    scheduled = {"resourceType": kind, "resource": resource, "parameters": json.dumps(arguments)}
    stepfunctions._add_event(execution, "TaskScheduled", {"taskScheduledEventDetails": scheduled})
    if calls_back:
        result = wait_for_callback(resource, arguments, context["Task"]["Token"], limits)
    elif limits.timeout is not None and ":activity:" not in resource:
        # The call is work, not waiting: its deadline is counted in real seconds at every clock scale.
        result = stepfunctions._invoke_resource_with_timeout(resource, arguments, limits.timeout)
    else:
        result = stepfunctions._invoke_resource(resource, arguments)
    refuse_oversized(result, context)
    succeeded = {"output": json.dumps(result), "resource": resource}
    stepfunctions._add_event(execution, "TaskSucceeded", {"taskSucceededEventDetails": succeeded})
    return result


def speaks_jsonata(state: State, context: Context) -> bool:
    """Whether a state is written in JSONata rather than JSONPath."""
    return bool(stepfunctions._state_query_language(state, context) == "JSONata")


def task_arguments(state: State, raw_input: Any, context: Context) -> Any:
    """What the task is called with."""
    if speaks_jsonata(state, context):
        return stepfunctions._apply_jsonata_arguments(state, raw_input, context)
    selected = stepfunctions._apply_input_path(state, raw_input, context)
    return stepfunctions._apply_parameters(state, selected, context)


def finish(state: State, raw_input: Any, context: Context, result: Any) -> tuple[Any, str | None]:
    """The state's output, its assigned variables and its successor."""
    if speaks_jsonata(state, context):
        output = stepfunctions._apply_jsonata_output(state, raw_input, context, result=result, default=result)
        stepfunctions._apply_state_assign(state, raw_input, context, result=result)
    else:
        selected = stepfunctions._apply_result_selector(state, result)
        placed = stepfunctions._apply_result_path(state, raw_input, selected)
        output = stepfunctions._apply_output_path(state, placed, context)
    return output, stepfunctions._next_or_end(state)


def catch(state: State, raw_input: Any, context: Context, error: ExecutionError) -> tuple[Any, str | None]:
    """Follow the first catcher that matches, or raise the error again."""
    catcher = stepfunctions._find_matching_catcher(state.get("Catch", []), error.error)
    if catcher is None:
        raise error
    language = stepfunctions._state_query_language(state, context)
    description = {"Error": error.error, "Cause": error.cause}
    return stepfunctions._apply_catcher(catcher, raw_input, context, language, description), catcher["Next"]


def retry_pause(state: State, error: str, retries: dict[int, int]) -> float | None:
    """Seconds to wait before the next attempt, or None when there is none. Counts the attempt in `retries`."""
    retrier, index = stepfunctions._find_matching_retrier(state.get("Retry", []), error, retries)
    if retrier is None:
        return None
    attempts = retries.get(index, 0)
    retries[index] = attempts + 1
    pause = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** attempts
    pause = min(pause, retrier.get("MaxDelaySeconds", ONE_YEAR_SECONDS))
    return random.uniform(0, pause) if retrier.get("JitterStrategy") == "FULL" else pause  # noqa: S311 - a pause


def task_limits(state: State, raw_input: Any, context: Context) -> Limits:
    """Evaluate TimeoutSeconds and HeartbeatSeconds, which may be numbers, JSONata expressions or paths."""

    def evaluate(name: str) -> float | None:
        if f"{name}Path" in state:
            value = stepfunctions._resolve_path_or_ctx(state[f"{name}Path"], raw_input, context)
        elif isinstance(state.get(name), str):
            value = stepfunctions._jsonata_state_field(state, name, "number", raw_input, context)
        else:
            value = state.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or value != int(value):
            raise ExecutionError("States.Runtime", f"{name} must be a positive integer, but was {json.dumps(value)}")
        return float(value)

    return Limits(evaluate("TimeoutSeconds"), evaluate("HeartbeatSeconds"))


def refuse_oversized(payload: Any, context: Context) -> None:
    """Raise States.DataLimitExceeded for what Step Functions would not carry."""
    if payload is not None and len(json.dumps(payload).encode()) > PAYLOAD_LIMIT_BYTES:
        name = context.get("State", {}).get("Name", "")
        raise ExecutionError(
            "States.DataLimitExceeded",
            f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes "
            "service limit.",
        )


def wait_for_callback(resource: str, arguments: Any, token: str, limits: Limits) -> Any:
    """Start the call and wait until the token comes back, a deadline passes or the call itself fails."""
    task = OFFICE.task(token)
    called = threading.Event()
    delivery = contextvars.copy_context()
    threading.Thread(target=delivery.run, args=(deliver, resource, arguments, token, called), daemon=True).start()
    await_settlement(task, token, limits, called)
    if task.error is not None:
        raise ExecutionError(*task.error)
    return task.output


def deliver(resource: str, arguments: Any, token: str, called: threading.Event) -> None:
    """Make the call that carries the token. Its own answer is ignored, its error fails the task, as on AWS.

    So does whatever goes wrong in the emulator itself: nobody would ever answer, and the task would wait for its deadline of days.
    """
    try:
        stepfunctions._invoke_resource(resource.replace(CALLBACK, ""), arguments)
    except ExecutionError as error:
        OFFICE.settle(token, error=(error.error, error.cause))
    except Exception as unforeseen:
        traceback.print_exc()
        OFFICE.settle(token, error=("Lambda.Unknown", f"{type(unforeseen).__name__}: {unforeseen}"))
    finally:
        called.set()


def await_settlement(task: OpenTask, token: str, limits: Limits, called: threading.Event) -> None:
    """Wait for the token, and settle it with States.Timeout or States.HeartbeatTimeout when it comes too late.

    Deadlines are shortened by the clock scale from the moment the call has returned: the call is work and takes the
    time it takes.
    """
    started = time.monotonic()
    if not first_of(called, task.settled, limits.timeout):
        OFFICE.settle(token, error=("States.Timeout", "Task timed out"))
    waiting_since = time.monotonic()
    task.beat = max(task.beat, waiting_since)
    spent = waiting_since - started
    deadline = waiting_since + CLOCK.shorten(max((limits.timeout or ONE_YEAR_SECONDS) - spent, 0))
    while not task.settled.is_set():
        silence_ends = task.beat + CLOCK.shorten(limits.heartbeat or 2 * ONE_YEAR_SECONDS)
        now = time.monotonic()
        if now >= deadline:
            OFFICE.settle(token, error=("States.Timeout", "Task timed out"))
        elif now >= silence_ends:
            OFFICE.settle(token, error=("States.HeartbeatTimeout", "No heartbeat arrived in time"))
        else:
            task.settled.wait(min(deadline, silence_ends, now + 3600) - now)


def first_of(called: threading.Event, settled: threading.Event, timeout: float | None) -> bool:
    """Wait for either event; False when `timeout` real seconds pass before."""
    ends = time.monotonic() + (timeout or ONE_YEAR_SECONDS)
    while time.monotonic() < ends:
        if settled.is_set() or called.wait(0.02):
            return True
    return False


def error_matches(error_equals: list[str], error: str) -> bool:
    """Whether a retrier's or catcher's list names this error.

    The emulator lets States.ALL catch everything. AWS: it does not catch States.Runtime or States.DataLimitExceeded,
    States.TaskFailed matches all but States.Timeout, and States.Timeout matches a missing heartbeat too.
    """
    if error in error_equals:
        return True
    if error in ("States.Runtime", "States.DataLimitExceeded"):
        return False
    timed_out = error in ("States.Timeout", "States.HeartbeatTimeout")
    if timed_out and "States.Timeout" in error_equals:
        return True
    return "States.ALL" in error_equals or ("States.TaskFailed" in error_equals and not timed_out)


def install() -> None:
    """Put this executor in the place of the emulator's."""
    replaces(stepfunctions, "_execute_task", execute_task)
    replaces(stepfunctions, "_error_matches", error_matches)
