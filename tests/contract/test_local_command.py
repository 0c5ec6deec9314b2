"""`lockkeeper local up` and `local down` as scripts use them."""

import os
import shlex
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from localcloud import supervisor
from localcloud.sagemaker import quirks
from localcloud.settings import PROJECT_FOLDER
from tests.patience import PATIENCE

COMMAND = [sys.executable, "-c", "from cli.local import app; app()"]


def local(*arguments: str, state_folder: Path) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *arguments, "--state-folder", str(state_folder)]
    return subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=False, timeout=PATIENCE)


@pytest.mark.full
@pytest.mark.e2e
def test_up_prints_an_environment_that_works_and_down_stops_it(tmp_path: Path) -> None:
    up = local("up", "--port", "0", "--detach", "--clock-scale", "60", "--quirks", state_folder=tmp_path)
    try:
        assert up.returncode == 0, up.stderr
        lines = up.stdout.splitlines()
        exported = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
        assert all(line.startswith(("export ", "# ")) for line in lines)
        stacks = subprocess.run(
            [str(Path(sys.executable).parent / "aws"), "cloudformation", "describe-stacks", "--output", "text"],
            env={"PATH": os.environ["PATH"], **exported},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "CREATE_COMPLETE" in stacks.stdout
        url = exported["AWS_ENDPOINT_URL"] + supervisor.HEALTH_PATH
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - http, 127.0.0.1
            assert answer.status == 200
        running = supervisor.find_running(tmp_path)
        assert running is not None
        assert quirks.read(running.run_folder) == quirks.BAD_DAY
        joined = local("env", state_folder=tmp_path)
        assert [line for line in joined.stdout.splitlines() if line.startswith("export ")] == lines[: len(exported)]
        assert "Mailbox: " in joined.stderr
        again = local("up", "--port", "0", state_folder=tmp_path)
        assert again.returncode == 1
        assert "lockkeeper local env" in again.stderr
    finally:
        down = local("down", state_folder=tmp_path)
    assert down.returncode == 0
    assert "Stopped" in down.stderr
    assert supervisor.find_running(tmp_path) is None
    assert "not running" in local("down", state_folder=tmp_path).stderr
    assert local("env", state_folder=tmp_path).returncode == 1
