"""Documented events, what SageMaker makes of them on a bad day, and events that are wrong in exactly one place."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.contract.event_patterns.rules import HUB, MACHINE, REGION, STRANGER
from tests.template.project import PROJECT

DOCUMENTED = Path(__file__).with_name("documented.yaml")
TIMES = {
    "epoch milliseconds": 1795511100000,
    "epoch milliseconds as text": "1795511100000",
    "a float of seconds": 1795511100.25,
    "an ISO time": "2026-11-24T09:05:00Z",
    "an ISO time with nanoseconds": "2026-11-24T09:05:00.123456789Z",
}

Event = dict[str, Any]
Path_ = tuple[str, ...]


@dataclass(frozen=True)
class Documented:
    """An event of the documentation: `name` tells the events of one kind apart."""

    name: str
    event: Event

    @property
    def kind(self) -> str:
        return str(self.event["detail-type"])

    @property
    def source(self) -> str:
        return str(self.event["source"])

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.name}" if self.name else self.kind


@cache
def documented(account: str = HUB) -> tuple[Documented, ...]:
    """Every documented event of AWS, as it happens in an account, and every event that Lockkeeper publishes."""
    parsed = yaml.safe_load(DOCUMENTED.read_text())
    found = [
        Documented(one.get("name", ""), _event(source, kind, one, account))
        for source, kinds in parsed.items()
        for kind, samples in kinds.items()
        for one in samples
    ]
    for path in sorted((PROJECT / "events" / "out").glob("*.json")):
        found.append(Documented("", json.loads(path.read_text()) | {"account": HUB}))
    return tuple(found)


@cache
def quirky(account: str = HUB) -> dict[str, dict[str, str]]:
    """Every documented event in all its variants, as text: by the event's id, then by what differs."""
    return {one.id: {what: json.dumps(event) for what, event in variants(one).items()} for one in documented(account)}


def _event(source: str, kind: str, sample: dict[str, Any], account: str) -> Event:
    arn = f"arn:aws:{sample.get('service', 'sagemaker')}:{REGION}:{account}:{sample['resource']}"
    filled = json.dumps(sample["detail"]).replace("{arn}", arn).replace("{release machine}", MACHINE)
    return {
        "version": "0",
        "id": "2f1e9a34-6f0c-4d39-9a55-0b8c9d1e7f10",
        "detail-type": kind,
        "source": source,
        "account": account,
        "time": "2026-11-24T09:05:00Z",
        "region": REGION,
        "resources": [arn],
        "detail": json.loads(filled),
    }


def variants(one: Documented) -> dict[str, Event]:
    """The same event as it may come too: what differs from the sample, and the event."""
    found = {
        "unknown fields": _with(one.event, _add_unknown_fields),
        "no resources": _with(one.event, lambda event: event.update(resources=[])),
        "another id": _with(one.event, lambda event: event.update(id="7d1c5b1e-0000-4000-8000-000000000001")),
    }
    if one.source == "aws.sagemaker":
        found |= _sagemaker_variants(one.event)
    if one.source == "aws.cloudwatch":
        muted = {"mutedBy": f"arn:aws:cloudwatch:{REGION}:{HUB}:alarm-mute-rule:nights"}
        found["muted"] = _with(one.event, lambda event: event["detail"].update(muteDetail=muted))
        found["no configuration"] = _with(one.event, lambda event: event["detail"].pop("configuration", None))
        found["null configuration"] = _with(one.event, lambda event: event["detail"].update(configuration=None))
    if one.source == "aws.states":
        found["input left out"] = _with(
            one.event, lambda event: event["detail"].update(input=None, inputDetails={"included": False})
        )
    return found


def _sagemaker_variants(event: Event) -> dict[str, Event]:
    found: dict[str, Event] = {}
    for name in event["detail"]:
        found[f"{name} is null"] = _with(event, lambda changed, name=name: changed["detail"].update({name: None}))
        found[f"no {name}"] = _with(event, lambda changed, name=name: changed["detail"].pop(name))
    for what, value in TIMES.items():
        found[f"times as {what}"] = _with(event, lambda changed, value=value: _replace_times(changed["detail"], value))
    found["statuses in the API's spelling"] = _with(event, lambda changed: _respell(changed["detail"], camel))
    found["statuses in capitals"] = _with(event, lambda changed: _respell(changed["detail"], capitals))
    for what, first in (("camelCase", str.lower), ("PascalCase", str.upper)):
        found[f"keys in {what}"] = _with(event, lambda changed, first=first: _rename(changed, first))
    for what, tags in (("a map", {"team": "pay"}), ("a list", [{"Key": "team", "Value": "pay"}]), ("null", None)):
        found[f"Tags as {what}"] = _with(event, lambda changed, tags=tags: changed["detail"].update(Tags=tags))
    for fields in ([], ["ModelApprovalStatus"], ["ModelLifeCycle", "CustomerMetadataProperties"], None):
        found[f"UpdatedModelPackageFields {fields}"] = _with(
            event, lambda changed, fields=fields: changed["detail"].update(UpdatedModelPackageFields=fields)
        )
    return found


def _add_unknown_fields(event: Event) -> None:
    event["replay-name"] = "last-week"
    event["detail"] = {**event["detail"], "New": {"values": [1, None]}}


def _with(event: Event, change: Callable[[Event], object]) -> Event:
    changed = copy.deepcopy(event)
    change(changed)
    return changed


def camel(status: str) -> str:
    """`IN_SERVICE` as the API says it: `InService`."""
    return "".join(word.capitalize() for word in status.split("_")) if status.isupper() else status


def capitals(status: str) -> str:
    """`InService` as endpoint events say it: `IN_SERVICE`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", status).upper()


def _respell(detail: Any, spell: Callable[[str], str]) -> None:
    if isinstance(detail, dict):
        for key, value in detail.items():
            if key.lower().endswith("status") and isinstance(value, str):
                detail[key] = spell(value)
            _respell(value, spell)
    elif isinstance(detail, list):
        for item in detail:
            _respell(item, spell)


def _replace_times(detail: Any, value: Any) -> None:
    if isinstance(detail, dict):
        for key, item in detail.items():
            if key.endswith("Time"):
                detail[key] = value
            _replace_times(item, value)
    elif isinstance(detail, list):
        for item in detail:
            _replace_times(item, value)


def _rename(event: Event, first: Callable[[str], str]) -> None:
    event["detail"] = {first(key[0]) + key[1:]: value for key, value in event["detail"].items()}


def leaves(pattern: dict[str, Any], path: Path_ = ()) -> Iterator[tuple[Path_, list[Any]]]:
    """Every leaf of a pattern: where it looks, and the alternatives that it allows."""
    for key, value in pattern.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def near_misses(event: Event, path: Path_, alternatives: list[Any]) -> dict[str, Event]:
    """Events that differ from `event`, which matches, in one leaf alone, and by that must not match.

    Raises KeyError for an operator of patterns that it knows no near-miss of.
    """
    value = _at(event, path)
    wrong: dict[str, Any] = {}
    for alternative in alternatives:
        if isinstance(alternative, dict):
            ((operator, operand),) = alternative.items()
            wrong |= {f"{operator} {what}": one for what, one in OPERATORS[operator](operand).items()}
        else:
            wrong |= _not(str(alternative))
    found = {what: _put(event, path, one) for what, one in wrong.items() if one not in alternatives and one != value}
    # The envelope is always whole: EventBridge writes it.
    if len(path) > 1 and {"exists": False} not in alternatives:
        found["nothing"] = _remove(event, path)
    return found


def _not(literal: str) -> dict[str, Any]:
    """Values that are nearly a literal."""
    found: dict[str, Any] = {
        f"{literal} and more": f"{literal} ",
        f"less than {literal}": literal[:-1],
        f"{literal} in another case": literal.swapcase(),
        f"{literal} inside of something": {"value": literal},
        "null": None,
        "empty": "",
        "an empty list": [],
    }
    if re.fullmatch(r"\d{12}", literal):
        found |= {"a stranger's account": STRANGER, "the account as a number": int(literal)}
        found = {what: one for what, one in found.items() if one != literal}
    return found


OPERATORS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "prefix": lambda operand: {"later": f"x{operand}", "cut": operand[:-1], "null": None},
    "suffix": lambda operand: {"earlier": f"{operand}x", "null": None},
    "equals-ignore-case": lambda operand: {"more": f"{operand}x", "null": None},
    "anything-but": lambda operand: {"it": operand[0] if isinstance(operand, list) else operand},
    "exists": lambda operand: {} if operand else {"there": "something"},
}
"""Near-misses of the content filters."""


def _at(event: Event, path: Path_) -> Any:
    for key in path:
        event = event[key]
    return event


def _put(event: Event, path: Path_, value: Any) -> Event:
    changed = copy.deepcopy(event)
    _at(changed, path[:-1])[path[-1]] = value
    return changed


def _remove(event: Event, path: Path_) -> Event:
    changed = copy.deepcopy(event)
    del _at(changed, path[:-1])[path[-1]]
    return changed
