"""The demo as a newcomer runs it: one command, its exit code, its two files, and nothing left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.supervisor import find_running


@pytest.mark.e2e
def test_the_demo_plays_every_chapter_and_leaves_a_report(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from cli.main import app; app()", "demo"]
    # Twice as fast as the demo's own pace: the bake of ten minutes takes five seconds.
    played = subprocess.run(
        [*command, "--out", str(tmp_path), "--clock-scale", "120"], capture_output=True, text=True, timeout=300
    )
    assert played.returncode == 0, played.stdout + played.stderr
    facts = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert facts["ok"] is True
    assert len(facts["chapters"]) == 12
    assert [(release["version"], release["status"]) for release in facts["releases"]] == [
        (1, "promoted"),
        (2, "failed"),
    ]
    assert len(facts["traffic"]["latencies_ms"]) == 595
    assert "Every chapter ended as it should" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert find_running(tmp_path / "aws") is None
