"""What the pages tell a newcomer to type, typed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.harness import Cloud
from tests.e2e.retiring import remove_bucket

PROJECT = Path(__file__).resolve().parents[2]


def commands_of(page: str, heading: str) -> str:
    """The first shell block below a heading."""
    return (PROJECT / page).read_text().split(heading, 1)[1].split("```sh\n", 1)[1].split("```", 1)[0]


def test_the_wages_page_brings_a_version_to_its_approver(cloud: Cloud, tmp_path: Path) -> None:
    cloud.remember("wages")
    script = commands_of("examples/wages/README.md", "## Use it").replace("build/wages", str(tmp_path / "wages"))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=PROJECT,
        env={**cloud.environment, "PATH": path, "AWS_PAGER": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    release = cloud.wait_for("wages-v1-a1", "awaiting-approval", seconds=120)
    assert release["author"].startswith("grace@example.com")
    remove_bucket(cloud.client("s3"), "sagemaker-your-team")
    assert any("Approve wages version 1" in mail for mail in cloud.mails("ada@example.com"))
