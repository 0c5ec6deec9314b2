"""What `lockkeeper simulate` says of a release's dossier and artifact is what the release itself was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.e2e.harness import Cloud, model_archive, policy_text
from tests.e2e.test_a_promotion import constant_model, prepare, register

HOSTILE = {"constant.pkl": b"cposix\nsystem\n(S'touch /tmp/would-have-run'\ntR."}


def simulated(
    cloud: Cloud, release_id: str, policy: str, artifact: bytes, folder: Path, goes_on: bool
) -> dict[str, Any]:
    """The release judged again, by the command, from what `show --json` printed."""
    files = {name: folder / name for name in ("policy.yaml", "release.json", "model.tar.gz")}
    files["policy.yaml"].write_text(policy, encoding="utf-8")
    files["release.json"].write_text(cloud.lockkeeper("show", release_id, "--json"), encoding="utf-8")
    files["model.tar.gz"].write_bytes(artifact)
    options = zip(("--policy", "--dossier", "--artifact"), map(str, files.values()), strict=True)
    result = CliRunner().invoke(app, ["simulate", *(word for pair in options for word in pair), "--json"])
    assert result.exit_code == (0 if goes_on else 1), result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.full
def test_a_worse_version_and_a_hostile_artifact_are_stopped_by_simulation_as_by_the_release(
    cloud: Cloud, tmp_path: Path
) -> None:
    prepare(cloud, "foretold", tmp_path)
    policy = policy_text("foretold", metric="regression_metrics.mae.value", bound="at_most: 5")
    models = [constant_model(1.0), constant_model(2.0), model_archive(HOSTILE)]
    for number, (model, mae) in enumerate(zip(models, (1.0, 3.0, 1.0), strict=True), start=1):
        register(cloud, "foretold", float(number), mae=mae, model=model)
        release_id = f"foretold-v{number}-a1"
        release = cloud.wait_for(release_id, "promoted" if number == 1 else "failed")
        again = simulated(cloud, release_id, policy, model, tmp_path, goes_on=number == 1)
        assert again["differences"] == []
        # What production's watch has seen is nobody's to judge again.
        assert again["verdicts"] == [one for one in release["verdicts"] if not one["gate"].startswith("bake:")]
    failed = {one["gate"] for one in release["verdicts"] if one["verdict"] == "failed"}
    assert failed == {"artifact"}
