"""A drift signal, wherever it comes from: what drifted, how far, on how much data, about which version, on what evidence."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any

from lockkeeper.domain.drift_rules import ALARM, EVENT, LOCKKEEPER_MONITOR, MODEL_MONITOR
from lockkeeper.domain.violations import Drifted, number, plain, read_rows, read_violations

WITH_VIOLATIONS = "CompletedWithViolations"
"""How a monitor's exit message begins when it found something; its job ends as Completed all the same."""
KINDS = ("", "data_quality/", "model_quality/", "bias/", "explainability/")
"""Where a monitor's output may have its files: at the top, or a folder for each kind."""
RELEASE_NAME = re.compile(r"(?P<group>[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62})-v(?P<version>\d{1,9})-a\d{1,6}")


@dataclass(frozen=True)
class DriftSignal:
    """What somebody says has drifted. Times are ISO 8601 in UTC; what nobody says is empty or None.

    `signal_id` is the same for everything that is said about the same finding. `release` and `version` are those that the
    finding is about; `unread` says why the evidence could not be read.
    """

    signal_id: str
    source: str
    group: str
    at: str
    drifted: tuple[Drifted, ...] = ()
    endpoint: str = ""
    release: str = ""
    version: int | None = None
    rows: int | None = None
    window_from: str = ""
    window_to: str = ""
    evidence: str = ""
    unread: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What drifted, by name: the same drift has the same names."""
        return frozenset(one.name for one in self.drifted)

    @property
    def about(self) -> str:
        """Up to when what drifted was asked."""
        return self.window_to or self.at

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["drifted"] = list(document["drifted"])
        return document


def signal_from(document: dict[str, Any]) -> DriftSignal:
    """A signal as `to_json` wrote it; fields of a newer Lockkeeper are left out."""
    known = {name: document[name] for name in DriftSignal.__dataclass_fields__ if name in document}
    return DriftSignal(**{**known, "drifted": tuple(Drifted(**one) for one in known.get("drifted", ()))})


def signal_id_of(source: str, *parts: object) -> str:
    """A name of a finding, made of what it is about."""
    return f"{source}-{hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]}"


@dataclass(frozen=True)
class AlarmSeen:
    """An alarm as CloudWatch describes it now. `since` is when it came into its state; `children` are a composite's."""

    name: str
    arn: str
    state: str
    since: str
    reason: str = ""
    reason_data: str = ""
    metric: str = ""
    threshold: float | None = None
    dimensions: dict[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    suppressed_by: str = ""


def signal_of_alarm(alarm: AlarmSeen, group: str, endpoint: str) -> DriftSignal | str:
    """What an alarm that is in ALARM now says, or why it says nothing."""
    if alarm.state != "ALARM":
        return f"alarm {alarm.name} is {alarm.state or 'missing'} by now"
    if alarm.suppressed_by:
        return f"alarm {alarm.name} is muted: its actions are suppressed by {plain(alarm.suppressed_by)}"
    names = alarm.children or (alarm.metric or alarm.name,)
    measured, window = (None, "") if alarm.children else _data_of(alarm.reason_data)
    words = plain(alarm.reason)
    return DriftSignal(
        signal_id=signal_id_of(ALARM, group, alarm.arn, alarm.since),
        source=ALARM,
        group=group,
        at=alarm.since,
        drifted=tuple(Drifted(plain(name, 100), "alarm", measured, alarm.threshold, words) for name in names[:20]),
        endpoint=next(
            (alarm.dimensions[one] for one in ("EndpointName", "Endpoint") if one in alarm.dimensions), endpoint
        ),
        window_from=window,
        window_to=alarm.since if window else "",
        evidence=alarm.arn,
    )


def _data_of(reason_data: str) -> tuple[float | None, str]:
    """The newest data point of an alarm's state, and since when it looked."""
    try:
        data = json.loads(reason_data)
    except ValueError:
        return None, ""
    if not isinstance(data, dict):
        return None, ""
    points = data.get("recentDatapoints")
    values = [value for one in points if (value := number(one)) is not None] if isinstance(points, list) else []
    start = data.get("startDate")
    begun = f"{start[:23]}Z" if isinstance(start, str) and re.fullmatch(r"[\d-]{10}T[\d:.]{12}\+0000", start) else ""
    return (values[-1] if values else None), begun


@dataclass(frozen=True)
class JobSeen:
    """A Processing job as SageMaker describes it now. `outputs` are addresses in S3, `schedule` the name of its monitoring schedule."""

    name: str
    arn: str
    status: str
    exit_message: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    schedule: str = ""
    ended_at: str = ""
    failure: str = ""

    @property
    def own(self) -> bool:
        """Whether Lockkeeper's monitor was it: that one says for which group it looked."""
        return "LOCKKEEPER_GROUP" in self.environment

    @property
    def endpoint(self) -> str:
        """The endpoint that was looked at, by Lockkeeper's monitor or SageMaker's."""
        return self.environment.get("LOCKKEEPER_ENDPOINT") or self.environment.get("sagemaker_endpoint_name", "")

    @property
    def monitors(self) -> bool:
        return self.own or bool(self.schedule or self.endpoint)


def nothing_in(job: JobSeen) -> str:
    """Why a monitor's job says nothing of drift; empty where it does."""
    if not job.monitors:
        return f"{job.name} is no monitor's job"
    if job.status == "Completed" and job.exit_message.startswith(WITH_VIOLATIONS):
        return ""
    if job.status == "Completed":
        return f"{job.name} found nothing: {plain(job.exit_message) or 'it left no message'}"
    return f"{job.name} is {job.status}: {plain(job.failure or job.exit_message) or 'no reason is given'}"


def signal_of_job(job: JobSeen, group: str, files: dict[str, bytes | None], problem: str = "") -> DriftSignal:
    """What a monitor's job found: `files` are the contents at its output, by their path there; `problem` why they are not read."""
    drifted: list[Drifted] = []
    unread: list[str] = []
    for folder in KINDS:
        read = read_violations(files.get(f"{folder}constraint_violations.json"))
        if not isinstance(read, str):
            drifted += read
        elif f"{folder}constraint_violations.json" in files:
            unread.append(f"{folder}{read}")
    rows = [known for folder in KINDS if (known := read_rows(files.get(f"{folder}statistics.json"))) is not None]
    said = job.environment
    release = said.get("LOCKKEEPER_RELEASE", "")
    named = RELEASE_NAME.fullmatch(release)
    return DriftSignal(
        signal_id=signal_id_of("job", group, job.arn),
        source=LOCKKEEPER_MONITOR if job.own else MODEL_MONITOR,
        group=group,
        at=job.ended_at,
        # What lies at the top of the monitor's output has every kind's once more.
        drifted=tuple(dict.fromkeys(drifted)),
        endpoint=plain(job.endpoint, 63),
        release=named[0] if named else "",
        version=int(named["version"]) if named else None,
        rows=max(rows) if rows else None,
        window_from=moment_in(said.get("LOCKKEEPER_WINDOW_FROM") or said.get("start_time")),
        window_to=moment_in(said.get("LOCKKEEPER_WINDOW_TO") or said.get("end_time")),
        evidence=job.outputs[0] if job.outputs else job.arn,
        unread="" if drifted else plain(problem or "; ".join(unread) or "there is no constraint_violations.json", 500),
    )


MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:?00)")


def moment_in(value: object) -> str:
    """A time in UTC as it is kept (milliseconds, `Z`), or nothing: what sorts as text must be written alike."""
    found = MOMENT.fullmatch(value) if isinstance(value, str) else None
    return f"{found[1]}.{(found[2] or '')[:3]:0<3}Z" if found else ""


def signal_of_event(detail: dict[str, Any], at: str) -> DriftSignal | str:
    """What a `Drift Detected` event of somebody's says, or what is wrong with it (`events/schemas/drift-detected.json`)."""
    listed = detail.get("drifted")
    if not isinstance(listed, list) or not listed:
        return "drifted is no list of what drifted"
    if not all(isinstance(one, dict) and isinstance(one.get("name"), str) and one["name"].strip() for one in listed):
        return "drifted has something without a name"
    drifted = tuple(
        Drifted(plain(one["name"], 100), EVENT, number(one.get("measured")), number(one.get("threshold")))
        for one in listed[:100]
    )
    version, rows, window = detail.get("version"), detail.get("rows"), detail.get("window")
    window = window if isinstance(window, dict) else {}
    for name, value in (("version", version), ("rows", rows)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 10**15):
            return f"{name} is no whole number"
    group = detail["model_package_group"]
    said = {name: detail.get(name) for name in ("drifted", "endpoint_name", "version", "rows", "window", "evidence")}
    given = plain(detail.get("id"), 200)
    return DriftSignal(
        signal_id=signal_id_of(EVENT, group, given or said),
        source=EVENT,
        group=group,
        at=at,
        drifted=drifted,
        endpoint=plain(detail.get("endpoint_name"), 63),
        version=version,
        rows=rows,
        window_from=moment_in(window.get("from")),
        window_to=moment_in(window.get("to")),
        evidence=plain(detail.get("evidence"), 1024),
    )
