"""What the laptop's AWS does at the same moment: sessions begin while others expire, and a call that breaks it is told."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from ministack.services import stepfunctions, sts

from localcloud.conformance.callback_tokens import OFFICE
from localcloud.conformance.identity import forget_expired_sessions
from localcloud.conformance.task_states import deliver


def test_sessions_begin_while_others_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sts, "_sessions", {str(number): {} for number in range(2000)})
    monkeypatch.setattr(sts, "_evict_expired_sessions", forget_expired_sessions)

    def begin(worker: int) -> None:
        for number in range(300):
            sts.register_session(f"{worker}-{number}", {"Expiration": time.time() + (60 if number % 2 else -60)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(begin, range(8)))
    forget_expired_sessions()
    assert sum("-" in key for key in sts._sessions) == 8 * 150
    assert len(sts._sessions) == 2000 + 8 * 150


def test_a_call_that_breaks_the_emulator_fails_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_arguments: Any) -> None:
        raise RuntimeError("dictionary changed size during iteration")

    monkeypatch.setattr(stepfunctions, "_invoke_resource", breaks)
    token, called = OFFICE.issue("arn:aws:states:us-east-1:111111111111:execution:release:one"), threading.Event()
    task = OFFICE.task(token)
    deliver("arn:aws:states:::lambda:invoke.waitForTaskToken", {}, token, called)
    assert called.is_set()
    assert task.error == ("Lambda.Unknown", "RuntimeError: dictionary changed size during iteration")
