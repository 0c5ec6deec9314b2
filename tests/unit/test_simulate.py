"""`lockkeeper simulate` says what a release says, without AWS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli.main import app
from tests.unit.harbour import GROUP, Harbour, package_arn, package_event, policy_document

runner = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"})
FACET = {"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]}
FAIR = {"post_training_bias_metrics": {"facets": {"sex": [
    {"value_or_threshold": "female", "metrics": [{"name": "DPPL", "value": 0.05}]}
]}}}  # fmt: skip


def policy_with_bias() -> dict[str, Any]:
    document = policy_document()
    document["gates"]["bias"] = [FACET]
    document["gates"]["reports"] = {"bias": f"s3://models/{GROUP}/{{version}}/analysis.json"}
    return document


def files(folder: Path, harbour: Harbour, version: int, **more: Any) -> list[str]:
    """The event, the policy and the registry of a version as files; reports are those that the harbour holds."""
    reports = {uri: json.loads(body) for uri, body in harbour.world.objects.stored.items() if uri.endswith(".json")}
    registry = {"model_package": harbour.world.registry.packages[package_arn(version)], "reports": reports, **more}
    for name, document in {
        "event": package_event(version),
        "policy": policy_with_bias(),
        "registry": registry,
    }.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return [part for name in ("event", "policy", "registry") for part in (f"--{name}", str(folder / f"{name}.yaml"))]


def as_registered(harbour: Harbour, version: int) -> None:
    """The package as it was before its release stamped it."""
    package = harbour.world.registry.packages[package_arn(version)]
    package |= {"ModelApprovalStatus": "PendingManualApproval", "CustomerMetadataProperties": {"author": "lin"}}


def simulated(*arguments: str) -> dict[str, Any]:
    result = runner.invoke(app, ["simulate", *arguments, "--json"])
    document: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (0 if document["goes_on"] else 1)
    return document


@pytest.fixture
def harbour() -> Harbour:
    harbour = Harbour()
    harbour.apply(policy_with_bias())
    return harbour


def analysed(harbour: Harbour, version: int, report: Any) -> None:
    harbour.world.objects.stored[f"s3://models/{GROUP}/{version}/analysis.json"] = json.dumps(report).encode()


BIASED = json.loads(json.dumps(FAIR).replace("0.05", "0.27"))


@pytest.mark.parametrize(
    ("accuracy", "analysis", "goes_on"),
    [(0.8, FAIR, True), (0.6, FAIR, False), (0.8, BIASED, False), (None, FAIR, False), (0.8, {}, False)],
)
def test_a_simulation_has_the_verdicts_of_the_release(
    harbour: Harbour, tmp_path: Path, accuracy: Any, analysis: Any, goes_on: bool
) -> None:
    analysed(harbour, 1, analysis)
    harbour.register(1, accuracy=accuracy)
    released = [one for one in harbour.release(1).to_json()["verdicts"] if one["gate"] != "artifact"]
    as_registered(harbour, 1)
    told = simulated(*files(tmp_path, harbour, 1))
    assert told["goes_on"] is goes_on
    assert told["verdicts"] == released
    assert len(released) == 4


def test_the_champion_counts_in_a_simulation_too(harbour: Harbour, tmp_path: Path) -> None:
    for version in (1, 2):
        analysed(harbour, version, FAIR)
    harbour.promote(1, accuracy=0.85)
    harbour.register(2, accuracy=0.8)
    released = [one for one in harbour.release(2).to_json()["verdicts"] if one["gate"] != "artifact"]
    kept = json.loads(harbour.world.objects.stored[f"s3://lockkeeper-bucket/dossiers/{GROUP}-v1-a1/model_quality.json"])
    (tmp_path / "champion.json").write_text(json.dumps(kept))
    as_registered(harbour, 2)
    champion = {"version": 1, "reports": {"model_quality": "champion.json"}}
    told = simulated(*files(tmp_path, harbour, 2, champion=champion))
    assert told["verdicts"] == released
    assert "champion 0.85" in told["why"]


@pytest.mark.parametrize(
    ("registry", "step", "why"),
    [
        ({"release": "wages-v1-a1"}, "ignored", "already has release wages-v1-a1"),
        ({"held": "rolled back"}, "stopped", "is held: rolled back"),
        ({"champion": {"version": 7}}, "ignored", "older than version 7"),
        ({"model_package": None}, "ignored", "is not in the registry"),
        ({"model_package": {"ModelPackageStatus": "Completed"}}, "stopped", "has no container"),
    ],
)
def test_what_happens_before_any_gate_is_said_with_its_reason(
    harbour: Harbour, tmp_path: Path, registry: dict[str, Any], step: str, why: str
) -> None:
    harbour.register(1)
    as_registered(harbour, 1)
    told = simulated(*files(tmp_path, harbour, 1, **registry))
    assert (told["step"], told["verdicts"]) == (step, [])
    assert why in told["why"]


def test_people_read_what_would_follow(harbour: Harbour, tmp_path: Path) -> None:
    analysed(harbour, 1, FAIR)
    harbour.register(1)
    as_registered(harbour, 1)
    result = runner.invoke(app, ["simulate", *files(tmp_path, harbour, 1)])
    assert result.exit_code == 0
    assert "wages-v1-a1 would go on" in result.stdout
    assert "1 of Ada, Grace would be asked; lin made the version" in result.stdout


def test_without_a_registry_the_package_is_what_its_event_says(tmp_path: Path) -> None:
    event = Path(__file__).parents[2] / "events" / "in" / "model-package-created.json"
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy_document()))
    result = runner.invoke(app, ["simulate", "--event", str(event), "--policy", str(tmp_path / "policy.yaml")])
    assert result.exit_code == 1
    assert "no --registry file is given" in " ".join(result.stdout.split())
    assert "The gates would stop the release" in result.stdout


@pytest.mark.parametrize(("text", "said"), [("{", "event.yaml:"), ("[]", "holds no mapping"), (None, "cannot be read")])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "event.yaml").write_text(text)
    arguments = ["simulate", "--event", str(tmp_path / "event.yaml"), "--policy", str(tmp_path / "policy.yaml")]
    result = runner.invoke(app, arguments)
    assert result.exit_code == 1
    assert said in result.stderr
