"""`lockkeeper simulate` says what a release says, without AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from lockkeeper.domain.release import Status
from lockkeeper.use_cases.read_dossiers import read_dossiers, to_json
from typer.testing import CliRunner

from cli.main import app
from cli.problems import CommandRefused
from cli.registry_file import read_document
from tests.unit.harbour import GROUP, HOLDOUT, Harbour, archive, package_arn, package_event, policy_document

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


def artifact_file(folder: Path, harbour: Harbour, version: int) -> str:
    """The version's artifact as a file."""
    path = folder / "model.tar.gz"
    path.write_bytes(harbour.world.objects.stored[f"s3://models/{GROUP}/{version}/model.tar.gz"])
    return str(path)


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


def foreseeable(verdicts: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without those on people and on production: who has confirmed a subscription, and what serves, is known to AWS alone."""
    return [one for one in verdicts if not one["gate"].startswith(("approval: people", "preflight:"))]


@pytest.mark.parametrize(
    ("accuracy", "analysis", "goes_on"),
    [(0.8, FAIR, True), (0.6, FAIR, False), (0.8, BIASED, False), (None, FAIR, False), (0.8, {}, False)],
)
def test_a_simulation_has_the_verdicts_of_the_release(
    harbour: Harbour, tmp_path: Path, accuracy: Any, analysis: Any, goes_on: bool
) -> None:
    analysed(harbour, 1, analysis)
    harbour.register(1, accuracy=accuracy)
    released = foreseeable(harbour.release(1).to_json()["verdicts"])
    as_registered(harbour, 1)
    told = simulated(*files(tmp_path, harbour, 1), "--artifact", artifact_file(tmp_path, harbour, 1))
    assert told["goes_on"] is goes_on
    assert told["verdicts"] == released
    assert len(released) == 6


def test_the_champion_counts_in_a_simulation_too(harbour: Harbour, tmp_path: Path) -> None:
    for version in (1, 2):
        analysed(harbour, version, FAIR)
    harbour.promote(1, accuracy=0.85)
    harbour.register(2, accuracy=0.8)
    released = foreseeable(one for one in harbour.release(2).to_json()["verdicts"] if one["gate"] != "artifact")
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
        ({"model_package": {"ModelPackageStatus": "Completed"}}, "ignored", "has no container yet"),
        (
            {
                "model_package": {
                    "ModelPackageStatus": "Completed",
                    "SourceAlgorithmSpecification": {"SourceAlgorithms": []},
                }
            },
            "stopped",
            "made of an algorithm",
        ),
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


@pytest.mark.parametrize("made", [lambda path: None, Path.mkdir], ids=["missing", "a folder"])
def test_a_policy_that_cannot_be_read_is_named(tmp_path: Path, made: Callable[[Path], None]) -> None:
    event = Path(__file__).parents[2] / "events" / "in" / "model-package-created.json"
    made(tmp_path / "policy.yaml")
    result = runner.invoke(app, ["simulate", "--event", str(event), "--policy", str(tmp_path / "policy.yaml")])
    assert result.exit_code == 1
    assert f"{tmp_path / 'policy.yaml'} cannot be read" in result.stderr
    assert "cure: look at the file's name" in result.stderr


def test_json_is_read_as_json_whatever_yaml_thinks_of_it(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{\n\t"error": 1e-05,\n\t"other": [NaN]\n}')
    assert read_document(tmp_path / "report.json") == {"error": 1e-05, "other": ["NaN"]}
    (tmp_path / "report.yaml").write_text("error: 0.5 # as measured")
    assert read_document(tmp_path / "report.yaml") == {"error": 0.5}


def test_a_mistake_in_json_is_told_by_its_line_and_not_read_as_yaml(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text('{\n\t"error": 1e-05,\n\t"other": }')
    with pytest.raises(CommandRefused, match=r"report.json:3: no JSON"):
        read_document(path)


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        ("champion: {version: three}", "champion.version is no number of a version"),
        ("champion: {version: 1.5}", "champion.version is no number of a version"),
        (f"champion: {{version: 0x{'f' * 6000}}}", "champion.version is no number of a version"),
        ("champion: [3]", "champion is no mapping"),
        ("release: {a: 1}", "release is no text"),
        ("held: [why]", "held is no text"),
        ("champion: {version: 3, reports: [a.json]}", "champion.reports is no mapping"),
        (
            "champion: {version: 3, reports: {bias: {day: 2026-11-26}}}",
            "champion.reports.bias holds what no JSON report",
        ),
        ("reports: [a.json]", "reports is no mapping"),
        ("reports: {'s3://models/wages/1/quality.json': {day: 2026-11-26}}", "quality.json holds what no"),
        ("model_package: gone", "model_package is no mapping"),
        ("model_package: {CreatedBy: lin}", "model_package.CreatedBy is no mapping"),
        ("model_package: {InferenceSpecification: {Containers: [null]}}", "InferenceSpecification.Containers[0] is no"),
        ("model_package: {InferenceSpecification: {Containers: [{Image: 3}]}}", "Containers[0].Image is no text"),
    ],
)
def test_odd_content_of_a_registry_file_is_refused_with_file_key_and_cure(
    harbour: Harbour, tmp_path: Path, registry: str, said: str
) -> None:
    harbour.register(1)
    as_registered(harbour, 1)
    arguments = files(tmp_path, harbour, 1)
    told = yaml.safe_load((tmp_path / "registry.yaml").read_text())
    odd = yaml.safe_load(registry)
    (tmp_path / "registry.yaml").write_text(yaml.safe_dump({**told, **odd}) if "0x" not in registry else registry)
    result = runner.invoke(app, ["simulate", *arguments])
    assert (result.exit_code, result.stdout) == (1, "")
    assert isinstance(result.exception, SystemExit)
    assert f"error: {tmp_path / 'registry.yaml'}: " in result.stderr
    assert said in result.stderr
    assert "cure: " in result.stderr


def test_odd_content_of_an_event_is_refused_with_file_and_key(tmp_path: Path) -> None:
    event = package_event(1)
    event["detail"]["InferenceSpecification"] = "none"
    (tmp_path / "event.json").write_text(json.dumps(event))
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy_document()))
    arguments = ["--event", str(tmp_path / "event.json"), "--policy", str(tmp_path / "policy.yaml")]
    result = runner.invoke(app, ["simulate", *arguments])
    assert result.exit_code == 1
    assert f"{tmp_path / 'event.json'}: detail.InferenceSpecification is no mapping" in result.stderr


def dossier_file(folder: Path, harbour: Harbour, version: int) -> str:
    """What `lockkeeper show --json` prints of a release."""
    release = harbour.release(version)
    path = folder / f"release-{version}.json"
    path.write_text(json.dumps(to_json(release, read_dossiers(release, harbour.world), {})))
    return str(path)


def again(folder: Path, harbour: Harbour, version: int, document: dict[str, Any], *more: str) -> dict[str, Any]:
    """A release's own evidence, judged by a policy."""
    (folder / "policy.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    arguments = ("--policy", str(folder / "policy.yaml"), "--dossier", dossier_file(folder, harbour, version))
    return simulated(*arguments, *more)


HOSTILE = archive(b"cposix\nsystem\n(S'touch /tmp/no'\ntR.", "model.joblib")
LATENCY = {"p50_ms": 10_000, "requests": 40, "warm_up": 0}


def policy_with_tests(**tests: Any) -> dict[str, Any]:
    replay = {"dataset": "s3://models/holdout.csv", "at_least": {"accuracy": 0.0}, "minimum_rows": 1}
    return {**policy_with_bias(), "staging": {"tests": {"replay": replay, **tests}}}


@pytest.mark.parametrize(
    ("facts", "analysis", "tests", "failed"),
    [
        ({}, FAIR, {"latency": LATENCY, "load": {"requests_per_second": 50, "seconds": 1}}, set()),
        ({"accuracy": 0.6}, FAIR, {}, {"quality"}),
        ({"accuracy": "NaN"}, FAIR, {}, set()),
        ({"accuracy": 0.9}, BIASED, {}, {"bias"}),
        ({"artifact": HOSTILE}, FAIR, {}, {"artifact"}),
        ({}, FAIR, {"latency": {**LATENCY, "p50_ms": 0.000001}}, {"latency"}),
    ],
    ids=["promoted", "worse", "no number", "biased", "hostile", "slow"],
)
def test_a_release_judged_again_by_its_own_policy_has_the_same_verdicts(
    harbour: Harbour, tmp_path: Path, facts: dict[str, Any], analysis: Any, tests: dict[str, Any], failed: set[str]
) -> None:
    document = policy_with_tests(**tests)
    harbour.apply(document)
    harbour.world.objects.stored["s3://models/holdout.csv"] = HOLDOUT.encode()
    analysed(harbour, 1, analysis)
    harbour.register(1, **facts)
    if harbour.release(1).status is Status.AWAITING_APPROVAL:
        harbour.approve()
    released = harbour.release(1).to_json()["verdicts"]
    told = again(tmp_path, harbour, 1, document, "--artifact", artifact_file(tmp_path, harbour, 1))
    assert told["verdicts"] == released
    assert told["differences"] == []
    assert {one["gate"].split(":")[0] for one in released if one["verdict"] == "failed"} == failed


def test_what_productions_watch_saw_is_not_judged_again(harbour: Harbour, tmp_path: Path) -> None:
    analysed(harbour, 1, FAIR)
    harbour.promote(1)
    released = harbour.release(1).to_json()["verdicts"]
    told = again(tmp_path, harbour, 1, policy_with_bias())
    assert any(one["gate"].startswith("bake:") for one in released)
    assert told["verdicts"] == [one for one in released if not one["gate"].startswith("bake:")]
    assert told["differences"] == []


def test_a_champion_is_in_the_dossier_of_who_was_held_against_it(harbour: Harbour, tmp_path: Path) -> None:
    for version in (1, 2):
        analysed(harbour, version, FAIR)
    harbour.promote(1, accuracy=0.85)
    harbour.register(2, accuracy=0.8)
    told = again(tmp_path, harbour, 2, policy_with_bias())
    assert "champion 0.85" in told["why"]
    assert told["differences"] == []


def test_another_policy_says_what_it_would_have_said(harbour: Harbour, tmp_path: Path) -> None:
    analysed(harbour, 1, FAIR)
    document = policy_with_tests(latency=LATENCY)
    harbour.apply(document)
    harbour.world.objects.stored["s3://models/holdout.csv"] = HOLDOUT.encode()
    harbour.register(1, accuracy=0.8)
    harbour.approve()
    stricter = policy_with_tests(latency={**LATENCY, "p50_ms": 0.000001})
    stricter["staging"]["tests"]["replay"]["at_least"]["accuracy"] = 0.9
    told = {one["gate"]: one["verdict"] for one in again(tmp_path, harbour, 1, stricter)["verdicts"]}
    assert (told["latency: p50"], told["replay: accuracy"]) == ("failed", "inconclusive")
    stricter["gates"]["quality"][0]["at_least"] = 0.9
    judged = again(tmp_path, harbour, 1, stricter)
    assert judged["goes_on"] is False
    assert any(one.startswith("quality: binary") and "passed" in one for one in judged["differences"])
    result = runner.invoke(
        app,
        ["simulate", "--policy", str(tmp_path / "policy.yaml"), "--dossier", dossier_file(tmp_path, harbour, 1)],
    )
    assert "Not as in the release: quality" in result.stdout


@pytest.mark.parametrize("shown", [{}, {"dossiers": {}}, {"dossiers": {"judged": {"document": None}}}, {"dossiers": 3}])
def test_what_is_no_dossier_is_refused_with_what_to_do(tmp_path: Path, shown: Any) -> None:
    (tmp_path / "release.json").write_text(json.dumps(shown))
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy_document()))
    arguments = ["--policy", str(tmp_path / "policy.yaml"), "--dossier", str(tmp_path / "release.json")]
    result = runner.invoke(app, ["simulate", *arguments])
    assert result.exit_code == 1
    assert "no release with a dossier" in result.stderr
    assert "lockkeeper show RELEASE --json" in result.stderr


def test_an_event_or_a_dossier_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy_document()))
    result = runner.invoke(app, ["simulate", "--policy", str(tmp_path / "policy.yaml")])
    assert result.exit_code == 1
    assert "give one of --event and --dossier" in result.stderr


def test_a_refused_image_and_a_blocked_artifact_are_in_a_sealed_dossier(harbour: Harbour, tmp_path: Path) -> None:
    harbour.register(1, artifact=HOSTILE)
    document = policy_document()
    document["gates"]["artifact"] = {"images": ["ours/*"]}
    harbour.apply(document)
    harbour.register(2)
    for version, gate, required in ((1, "artifact", "0 findings"), (2, "artifact: image", "one of ours/*")):
        (dossier,) = read_dossiers(harbour.release(version), harbour.world)
        assert dossier.seal_holds
        assert dossier.document is not None
        (failed,) = [one for one in dossier.document["verdicts"] if one["verdict"] == "failed"]
        assert (failed["gate"], failed["required"]) == (gate, required)
        assert failed["measured"]
        assert failed["reason"]
    assert again(tmp_path, harbour, 2, document)["differences"] == []
