"""What Step Functions refuses in a state machine's definition before anything runs.

The emulator parses JSONata expressions and checks little else, and its ValidateStateMachineDefinition always says OK.
These checks cover what goes wrong in practice; they are not AWS's whole validator.
"""

import json
from collections.abc import Iterator
from typing import Any

from ministack.core.responses import json_response
from ministack.services import stepfunctions

from localcloud.conformance.patching import replaces, wraps

State = dict[str, Any]

COMMON_FIELDS = {"Type", "Comment", "QueryLanguage", "Next", "End", "Assign", "Output"}
JSONPATH_FIELDS = {"InputPath", "OutputPath", "ResultPath", "Parameters", "ResultSelector"}
FIELDS = {
    "Pass": {"Result"},
    "Task": {"Resource", "Arguments", "Retry", "Catch", "TimeoutSeconds", "HeartbeatSeconds", "Credentials"}
    | {"TimeoutSecondsPath", "HeartbeatSecondsPath"},
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "Timestamp", "SecondsPath", "TimestampPath"},
    "Succeed": set(),
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
    "Parallel": {"Branches", "Arguments", "Retry", "Catch"},
    "Map": {"Items", "ItemsPath", "ItemProcessor", "ItemReader", "ItemBatcher", "ItemSelector", "MaxConcurrency"}
    | {"ResultWriter", "Label", "ToleratedFailurePercentage", "ToleratedFailureCount", "Retry", "Catch", "Iterator"},
}
TERMINAL = {"Succeed", "Fail"}


def problems(definition: Any) -> list[tuple[str, str, str]]:
    """Every problem of a definition as (code, message, path), in the order of the states."""
    if not isinstance(definition, dict):
        return [("SCHEMA_VALIDATION_FAILED", "The definition must be an object", "/")]
    return list(_machine_problems(definition, definition.get("QueryLanguage", "JSONPath"), ""))


def _machine_problems(machine: State, language: str, path: str) -> Iterator[tuple[str, str, str]]:
    states, start = machine.get("States"), machine.get("StartAt")
    if not isinstance(states, dict) or not states:
        yield "SCHEMA_VALIDATION_FAILED", "These fields are required: [States]", path or "/"
        return
    if start not in states:
        yield "MISSING_TRANSITION_TARGET", f"Missing 'StartAt' target: {start}", f"{path}/StartAt"
    for name, state in states.items():
        yield from _state_problems(name, state, states, language, f"{path}/States/{name}")
    reached = _reachable(states, start)
    for name in states:
        if start in states and name not in reached:
            yield "UNREACHABLE_STATE", f'State "{name}" is not reachable.', f"{path}/States/{name}"


def _state_problems(name: str, state: State, states: State, language: str, path: str) -> Iterator[tuple[str, str, str]]:
    kind = state.get("Type")
    if kind not in FIELDS:
        yield "SCHEMA_VALIDATION_FAILED", f"Type is not one of {sorted(FIELDS)}: {kind}", f"{path}/Type"
        return
    if len(name) > 80:
        yield "SCHEMA_VALIDATION_FAILED", "A state's name has at most 80 characters", path
    language = state.get("QueryLanguage", language)
    yield from _field_problems(kind, state, language, path)
    for target in _targets(state):
        if target not in states:
            yield "MISSING_TRANSITION_TARGET", f"Missing 'Next' target: {target}", f"{path}/Next"
    if kind not in TERMINAL | {"Choice"} and ("Next" in state) == bool(state.get("End")):
        yield "SCHEMA_VALIDATION_FAILED", "Exactly one of Next and End is required", path
    if kind == "Task" and not str(state.get("Resource", "")).startswith("arn:"):
        yield "SCHEMA_VALIDATION_FAILED", "Value is not a valid resource ARN", f"{path}/Resource"
    for index, branch in enumerate(state.get("Branches", [])):
        yield from _machine_problems(branch, language, f"{path}/Branches[{index}]")
    for processor in ("ItemProcessor", "Iterator"):
        if processor in state:
            yield from _machine_problems(state[processor], language, f"{path}/{processor}")


def _field_problems(kind: str, state: State, language: str, path: str) -> Iterator[tuple[str, str, str]]:
    known = COMMON_FIELDS | JSONPATH_FIELDS | FIELDS[kind]
    for field in state:
        if field not in known:
            yield "SCHEMA_VALIDATION_FAILED", f"Field is not supported: {field}", f"{path}/{field}"
        elif field in JSONPATH_FIELDS and language == "JSONata":
            yield (
                "SCHEMA_VALIDATION_FAILED",
                f"{field} is not supported when QueryLanguage is JSONata",
                f"{path}/{field}",
            )
        elif field in ("Output", "Arguments") and language != "JSONata":
            yield "SCHEMA_VALIDATION_FAILED", f"{field} requires QueryLanguage JSONata", f"{path}/{field}"
    for retrier in state.get("Retry", []) + state.get("Catch", []):
        names = retrier.get("ErrorEquals")
        if not names or ("States.ALL" in names and len(names) > 1):
            yield "SCHEMA_VALIDATION_FAILED", "ErrorEquals must name errors, States.ALL alone", f"{path}/ErrorEquals"


def _targets(state: State) -> list[str]:
    followers = state.get("Choices", []) + state.get("Catch", [])
    named = [follower["Next"] for follower in followers if "Next" in follower]
    return named + [state[field] for field in ("Next", "Default") if field in state]


def _reachable(states: State, start: Any) -> set[str]:
    reached: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in states and name not in reached:
            reached.add(name)
            todo += _targets(states[name])
    return reached


def refusal(text: Any) -> str | None:
    """Why CreateStateMachine and UpdateStateMachine refuse a definition, or None."""
    if not isinstance(text, str):
        return None
    try:
        found = problems(json.loads(text))
    except ValueError as error:
        return f"Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION: {error}'"
    if not found:
        return None
    listed = ", ".join(f"{code}: {message} at {path}" for code, message, path in found)
    return f"Invalid State Machine Definition: '{listed}'"


def validate_definition(request: dict[str, Any]) -> Any:
    """ValidateStateMachineDefinition: the same findings as diagnostics."""
    try:
        found = problems(json.loads(request.get("definition") or ""))
    except ValueError as error:
        found = [("INVALID_JSON_DESCRIPTION", str(error), "/")]
    diagnostics = [
        {"severity": "ERROR", "code": code, "message": message, "location": path} for code, message, path in found
    ]
    return json_response({"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": False})


def install() -> None:
    """Add the checks to the emulator's own."""
    replaces(stepfunctions, "_validate_state_machine_definition", validate_definition)

    @wraps(stepfunctions, "_validate_definition_jsonata")
    def validate(original: Any, text: Any) -> str | None:
        return refusal(text) or original(text)
