"""CloudWatch: alarms that look at their own dimensions and periods, and tell EventBridge."""

import json
import logging
import threading
import time
from datetime import UTC, datetime
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid, request_scope
from ministack.services import cloudwatch, eventbridge

from localcloud.clock import CLOCK
from localcloud.conformance.patching import replaces, wraps

Alarm = dict[str, Any]
Point = dict[str, Any]

EVALUATION_PAUSE_SECONDS = 0.5
SHORTEST_PERIOD_SECONDS = 1.0

_deciding = threading.RLock()
"""Held while an alarm's state changes: one that somebody sets and that the next look takes back at once was two changes."""
logger = logging.getLogger(__name__)


def period_seconds(alarm: Alarm) -> float:
    """Real seconds of an alarm's period. The clock scale never makes it shorter than one second."""
    period = float(alarm.get("Period") or 60)
    return max(CLOCK.shorten(period), min(period, SHORTEST_PERIOD_SECONDS))


def datapoints(alarm: Alarm, now: float) -> list[float | None]:
    """The alarm's statistic for each of its last periods, the newest first; None where no data arrived."""
    period = period_seconds(alarm)
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic") or "Average"
    dimensions = cloudwatch._dims_key(cloudwatch._dims_from_list(alarm.get("Dimensions") or []))
    key = (alarm["Namespace"], alarm["MetricName"], dimensions)
    points: list[Point] = list(cloudwatch._metrics.get(key) or [])
    values: list[float | None] = []
    for index in range(int(alarm.get("EvaluationPeriods") or 1)):
        ends, starts = now - index * period, now - (index + 1) * period
        inside = [point for point in points if starts < point["Timestamp"] <= ends]
        values.append(cloudwatch._stat_value(cloudwatch._calc_stats(inside), statistic, inside) if inside else None)
    return values


def breaches(value: float, alarm: Alarm) -> bool:
    """Whether one datapoint is on the wrong side of the threshold."""
    threshold = float(alarm.get("Threshold") or 0)
    return {
        "GreaterThanOrEqualToThreshold": value >= threshold,
        "GreaterThanThreshold": value > threshold,
        "LessThanThreshold": value < threshold,
        "LessThanOrEqualToThreshold": value <= threshold,
    }.get(str(alarm.get("ComparisonOperator")), False)


def judge(alarm: Alarm, values: list[float | None]) -> tuple[str, str]:
    """The alarm's next state and its reason: M of N datapoints, with missing ones treated as the alarm says."""
    treatment = alarm.get("TreatMissingData") or "missing"
    wanted = int(alarm.get("DatapointsToAlarm") or alarm.get("EvaluationPeriods") or 1)
    present = [value for value in values if value is not None]
    breaching = sum(breaches(value, alarm) for value in present)
    if treatment == "breaching":
        breaching += len(values) - len(present)
    if breaching >= wanted:
        return "ALARM", reason(alarm, present, breaching, "")
    if not present:
        if treatment == "ignore":
            return alarm["StateValue"], alarm.get("StateReason", "")
        if treatment == "missing":
            return "INSUFFICIENT_DATA", "Insufficient Data: no datapoints were received in the evaluation range."
    return "OK", reason(alarm, present, len(values) - breaching, "not ")


def reason(alarm: Alarm, present: list[float], count: int, negation: str) -> str:
    """CloudWatch's sentence for a state."""
    listed = ", ".join(str(value) for value in present) or "no datapoints"
    return (
        f"Threshold Crossed: {count} out of the last {alarm.get('EvaluationPeriods', 1)} datapoints [{listed}] "
        f"was {negation}{alarm.get('ComparisonOperator')} the threshold ({float(alarm.get('Threshold') or 0)})."
    )


def evaluate_alarm(alarm: Alarm) -> None:
    """Evaluate one alarm now and, when its state changes, record, announce and act.

    The emulator mixes the data of all dimensions, ignores M of N and missing data, and tells no event bus.
    """
    if not alarm.get("Namespace") or not alarm.get("MetricName"):
        return
    with _deciding:
        values = datapoints(alarm, time.time())
        new_state, why = judge(alarm, values)
        old_state = alarm["StateValue"]
        if new_state == old_state:
            return
        data = reason_data(alarm, [value for value in values if value is not None])
        before = state_of(alarm)
        alarm.update(
            StateValue=new_state, StateReason=why, StateReasonData=data, StateUpdatedTimestamp=int(time.time())
        )
        cloudwatch._record_history(alarm["AlarmName"], old_state, new_state, why, reason_data=json.loads(data))
        after = state_of(alarm)
    announce(alarm, before, after)
    cloudwatch._dispatch_alarm_actions(alarm, old_state, new_state, why)
    cloudwatch._evaluate_parent_alarms(alarm)


def reason_data(alarm: Alarm, present: list[float]) -> str:
    """The machine-readable reason, a JSON text as in the API and the event."""
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": timestamp(),
            "statistic": alarm.get("Statistic") or alarm.get("ExtendedStatistic"),
            "period": alarm.get("Period", 60),
            "recentDatapoints": present,
            "threshold": float(alarm.get("Threshold") or 0),
        }
    )


def timestamp(epoch: float | None = None) -> str:
    """A time as alarm events write it: 2019-10-02T17:04:40.989+0000."""
    moment = datetime.fromtimestamp(epoch if epoch is not None else time.time(), UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def state_of(alarm: Alarm) -> dict[str, Any]:
    """A state as the event describes it, from the alarm's present fields."""
    updated = alarm.get("StateUpdatedTimestamp")
    state = {
        "value": alarm["StateValue"],
        "reason": alarm.get("StateReason") or "Unchecked: Initial alarm creation",
        "timestamp": timestamp(float(updated) if isinstance(updated, int | float) else None),
    }
    data = alarm.get("StateReasonData")
    return state | ({"reasonData": data} if data else {})


def announce(alarm: Alarm, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Publish `CloudWatch Alarm State Change` on the default bus; the emulator publishes nothing."""
    arn = alarm.get("AlarmArn") or f"arn:aws:cloudwatch:{get_region()}:{get_account_id()}:alarm:{alarm['AlarmName']}"
    detail = {
        "alarmName": alarm["AlarmName"],
        "configuration": {"description": alarm.get("AlarmDescription") or "", **configuration(alarm)},
        "previousState": before,
        "state": after | {"timestamp": timestamp()},
    }
    entry = {
        "Source": "aws.cloudwatch",
        "DetailType": "CloudWatch Alarm State Change",
        "Detail": json.dumps(detail),
        "Resources": [arn],
    }
    eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)


def configuration(alarm: Alarm) -> dict[str, Any]:
    """The metric of a single-metric alarm; a composite alarm has none but its rule."""
    if not alarm.get("MetricName"):
        return {"alarmRule": alarm.get("AlarmRule", "")}
    metric = {
        "namespace": alarm["Namespace"],
        "name": alarm["MetricName"],
        "dimensions": cloudwatch._dims_from_list(alarm.get("Dimensions") or []),
    }
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    stat = {"metric": metric, "period": int(alarm.get("Period") or 60), "stat": statistic}
    return {"metrics": [{"id": new_uuid(), "metricStat": stat, "returnData": True}]}


def evaluate_everywhere() -> None:
    """Evaluate the alarms of every account and region."""
    for (account_id, region, _), alarm in list(cloudwatch._alarms._data.items()):
        with request_scope(account_id, region):
            try:
                cloudwatch._evaluate_alarm(alarm)
            except (KeyError, TypeError, ValueError, RuntimeError):
                logger.exception("The alarm %s cannot be evaluated.", alarm.get("AlarmName"))


def keep_evaluating() -> None:
    """Evaluate alarms as time passes; the emulator does so only when PutMetricData is called."""

    def loop() -> None:
        while True:
            time.sleep(EVALUATION_PAUSE_SECONDS)
            evaluate_everywhere()

    threading.Thread(target=loop, daemon=True, name="alarm-evaluation").start()


def evaluate_when_services_publish() -> None:
    """Metrics of other services reach alarms at once; the emulator stores them without looking."""

    @wraps(cloudwatch, "record_metric")
    def record(original: Any, *arguments: Any, **keywords: Any) -> None:
        original(*arguments, **keywords)
        cloudwatch._evaluate_all_alarms()


def announce_forced_states() -> None:
    """SetAlarmState changes the state without an event in the emulator; AWS publishes one."""

    @wraps(cloudwatch, "_set_alarm_state")
    def set_state(original: Any, *arguments: Any, **keywords: Any) -> Any:
        with _deciding:
            before = {name: state_of(alarm) for name, alarm in cloudwatch._alarms.items()}
            response = original(*arguments, **keywords)
            changed = [
                (alarm, before[name], state_of(alarm))
                for name, alarm in cloudwatch._alarms.items()
                if name in before and alarm["StateValue"] != before[name]["value"]
            ]
        for one in changed:
            announce(*one)
        return response


def date_history_exactly() -> None:
    """The emulator cuts the times of an alarm's history down to whole seconds; who asks for what came after now misses it."""

    @wraps(cloudwatch, "_record_history")
    def record(original: Any, *arguments: Any, **keywords: Any) -> None:
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        original(*arguments, **keywords)
        cloudwatch._history_entries()[-1]["Timestamp"] = moment


def install() -> None:
    """Apply every patch of this service."""
    replaces(cloudwatch, "_evaluate_alarm", evaluate_alarm)
    evaluate_when_services_publish()
    announce_forced_states()
    date_history_exactly()
    keep_evaluating()
