"""Alarms of the laptop's AWS: what changes twice at one moment is told twice."""

from __future__ import annotations

import time
from threading import Thread
from typing import Any

import pytest
from ministack.services import cloudwatch

from localcloud.conformance import cloudwatch as conformance


def test_a_state_that_the_next_look_takes_back_at_once_was_told(monkeypatch: pytest.MonkeyPatch) -> None:
    alarm: dict[str, Any] = {"AlarmName": "calm", "Namespace": "Wages", "MetricName": "Errors", "StateValue": "OK"}
    alarm |= {"Threshold": 1.0, "TreatMissingData": "notBreaching"}
    looks, told = [], []

    def set_while_somebody_looks() -> None:
        alarm["StateValue"] = "ALARM"
        looks.append(Thread(target=conformance.evaluate_alarm, args=(alarm,)))
        looks[0].start()
        time.sleep(0.3)

    monkeypatch.setattr(cloudwatch, "_alarms", {"calm": alarm})
    monkeypatch.setattr(cloudwatch, "_set_alarm_state", set_while_somebody_looks)
    for name in ("_record_history", "_dispatch_alarm_actions", "_evaluate_parent_alarms"):
        monkeypatch.setattr(cloudwatch, name, lambda *_, **__: None)
    monkeypatch.setattr(
        conformance, "announce", lambda _, before, after: told.append((before["value"], after["value"]))
    )
    conformance.announce_forced_states()
    cloudwatch._set_alarm_state()
    looks[0].join()
    assert sorted(told) == [("ALARM", "OK"), ("OK", "ALARM")]
