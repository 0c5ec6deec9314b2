"""Every gate, once with each verdict it can give, in a whole release: what the dossier has, and that only `passed` goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lockkeeper.adapters.in_memory.look import TRUSTS_SAGEMAKER
from lockkeeper.domain import gates
from lockkeeper.domain.release import Outcome, Release, Status
from lockkeeper.domain.staging_rules import StagingTests
from lockkeeper.domain.staging_tests import Answered
from lockkeeper.use_cases.read_dossiers import read_dossiers

from tests.unit.harbour import (
    ALARM,
    GROUP,
    HOLDOUT,
    IMAGE,
    IMAGE_DIGEST,
    Harbour,
    archive,
    package_arn,
    policy_document,
    release_id,
)

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE
CONTRACT = {"name": "one row", "body": "1,2", "accept": "text/csv", "expect": {"status": 200, "rows": 1}}
HOSTILE = {"name": "a bomb", "body": "{{7*7}}", "expect": {"status": 200, "forbid": ["root:"]}}


def policy() -> dict[str, Any]:
    """A policy that asks for every gate there is."""
    document = policy_document()
    places = {
        kind: f"s3://models/{GROUP}/{{version}}/{kind}.json" for kind in ("bias", "explainability", "data_quality")
    }
    document["gates"] |= {
        "bias": [{"metric": "DPPL", "facet": "sex", "within": [-0.2, 0.2]}],
        "explainability": {"minimum_ndcg": 0.9},
        "data_quality": {"at_most": {"baseline_drift_check": 1}},
        "provenance": {"lineage": ["CommitId"]},
        "reports": places,
        "artifact": {"images": ["*.dkr.ecr.*.amazonaws.com/sagemaker-scikit-learn:*"]},
    }
    document["approval"] = {"before": []}
    document["production"]["monthly_budget_usd"] = 400
    document["staging"] = {
        "tests": {
            "contract": "s3://models/contract.jsonl",
            "replay": {"dataset": "s3://models/holdout.csv", "at_least": {"accuracy": 0.4}, "minimum_rows": 10},
            "latency": {"p50_ms": 5.0, "requests": 20, "warm_up": 0},
            "load": {"requests_per_second": 100, "seconds": 1, "errors_below": 0.05},
            "safety": "s3://models/hostile.jsonl",
        }
    }
    return document


class Facts:
    """Everything about a version that gates look at, all good; a case changes one thing of it."""

    def __init__(self) -> None:
        self.quality: Any = {
            "version": 0.0,
            "dataset": {"item_count": 537, "evaluation_time": "2026-11-24T12:00:00Z"},
            "binary_classification_metrics": {
                "confusion_matrix": {"0": {"0": 300, "1": 60}, "1": {"0": 47, "1": 130}},
                "accuracy": {"value": 0.8, "standard_deviation": "NaN"},
            },
        }
        self.bias: Any = self.analysis(0.05)
        self.explainability: Any = self.shap(income=0.5, age=0.3, zip=0.01)
        self.data_quality: Any = {"violations": []}
        self.lineage: dict[str, str] = {"CommitId": "0badcafe", "Repository": "example"}
        self.image = IMAGE
        self.artifact = archive()
        self.contract: dict[str, Any] = CONTRACT
        self.hostile: dict[str, Any] = HOSTILE
        self.holdout = HOLDOUT
        self.serving: Callable[[str, str], Answered] = serve
        self.unconfirmed: set[str] = set()
        self.production: dict[str, Any] = {}
        """What the policy's production has become meanwhile."""
        self.search: Callable[[Any], list[bool | None]] | None = None
        self.alarm = "OK"
        self.role_trust: str | None = TRUSTS_SAGEMAKER

    @staticmethod
    def analysis(value: Any, error: str = "") -> Any:
        metric = {"name": "DPPL", "description": "Difference in Positive Proportions", "value": value, "error": error}
        facet = {"value_or_threshold": "female", "metrics": [metric]}
        return {"version": "1.0", "post_training_bias_metrics": {"label": "lwage", "facets": {"sex": [facet]}}}

    @staticmethod
    def shap(**values: float) -> Any:
        label = {"global_shap_values": values, "expected_value": 0.4}
        return {"version": "1.0", "explanations": {"kernel_shap": {"label0": label}}}

    @staticmethod
    def violations(count: int) -> Any:
        kind = {"constraint_check_type": "baseline_drift_check", "description": "Baseline drift distance: 0.3"}
        return {"violations": [{"feature_name": f"f{number}", **kind} for number in range(count)]}


def serve(body: str, content_type: str) -> Answered:
    """The right answer to every row of the held-out data: its second feature."""
    del content_type
    return Answered(200, "text/csv", "\n".join(line.split(",")[-1] for line in body.splitlines()))


def slowly(*milliseconds: float) -> Callable[[str, str], Answered]:
    """Answers that take so long, in turn."""
    asked: list[str] = []

    def answer(body: str, content_type: str) -> Answered:
        asked.append(body)
        time.sleep(milliseconds[len(asked) % len(milliseconds)] / 1000)
        return serve(body, content_type)

    return answer


def failing(every: int) -> Callable[[str, str], Answered]:
    """One of so many requests that are not the contract's or the replay's is answered 500."""
    asked: list[str] = []

    def answer(body: str, content_type: str) -> Answered:
        asked.append(body)
        broken = len(asked) > 30 and len(asked) % every == 0
        return Answered(500, "text/plain", "no") if broken else serve(body, content_type)

    return answer


def change(**facts: Any) -> Callable[[Facts], None]:
    def apply(found: Facts) -> None:
        for name, value in facts.items():
            setattr(found, name, value)

    return apply


def with_accuracy(value: Any) -> Any:
    return {
        "version": 0.0,
        "binary_classification_metrics": {"accuracy": {"value": value, "standard_deviation": "NaN"}},
    }


Case = tuple[Outcome, Callable[[Facts], None]]
GOOD: Case = (PASSED, change())
CASES: dict[str, list[Case]] = {
    "artifact": [GOOD, (FAILED, change(artifact=archive(b"cposix\nsystem\n(S'id'\ntR.", "model.pkl")))],
    "artifact: image": [GOOD, (FAILED, change(image=IMAGE.replace("scikit-learn", "somebodys")))],
    "quality": [
        GOOD,
        (FAILED, change(quality=with_accuracy(0.6))),
        (INCONCLUSIVE, change(quality=with_accuracy("NaN"))),
    ],
    "bias": [
        GOOD,
        (FAILED, change(bias=Facts.analysis(0.27))),
        (INCONCLUSIVE, change(bias=Facts.analysis(None, "the facet is empty"))),
    ],
    "explainability": [
        GOOD,
        (FAILED, change(explainability=Facts.shap(income=0.01, age=0.3, zip=0.5))),
        (INCONCLUSIVE, change(explainability={"version": "1.0", "explanations": {}})),
    ],
    "data quality": [
        GOOD,
        (FAILED, change(data_quality=Facts.violations(2))),
        (INCONCLUSIVE, change(data_quality={"violations": None})),
    ],
    "provenance": [GOOD, (INCONCLUSIVE, change(lineage={}))],
    "approval": [GOOD, (INCONCLUSIVE, change(unconfirmed={"grace@example.com"}))],
    "cost": [
        GOOD,
        (FAILED, change(production={"initial_instances": 5})),
        (INCONCLUSIVE, change(production={"instance_type": "ml.p9.large"})),
    ],
    "preflight": [GOOD, (FAILED, change(alarm="ALARM")), (INCONCLUSIVE, change(role_trust=None))],
    "contract": [GOOD, (FAILED, change(contract={**CONTRACT, "expect": {"status": 200, "rows": 2}}))],
    "replay": [
        GOOD,
        (FAILED, change(holdout="label,a,b\n" + "".join(f"{row % 2},{row},{1 - row % 2}\n" for row in range(40)))),
        (INCONCLUSIVE, change(holdout="label,a,b\n1,2,1\n")),
    ],
    "latency": [GOOD, (FAILED, change(serving=slowly(7))), (INCONCLUSIVE, change(serving=slowly(0, 9)))],
    "load": [GOOD, (FAILED, change(serving=failing(4))), (INCONCLUSIVE, change(serving=slowly(900)))],
    "safety": [
        GOOD,
        (FAILED, change(hostile={**HOSTILE, "expect": {"status": "4xx"}})),
        (INCONCLUSIVE, change(search=lambda pairs: [None] * len(pairs))),
    ],
}
"""Each gate with the verdicts that it can give, and what brings them about. A scan and a recorded request leave no doubt, since
what cannot be read is refused; what provenance asks for is there or missing, and never too little. Who has not confirmed yet may do so."""


def register(harbour: Harbour, version: int, facts: Facts) -> None:
    folder = f"s3://models/{GROUP}/{version}"
    stored = harbour.world.objects.stored
    for kind in ("quality", "bias", "explainability", "data_quality"):
        stored[f"{folder}/{kind}.json"] = json.dumps(getattr(facts, kind)).encode()
    stored[f"{folder}/model.tar.gz"] = facts.artifact
    stored["s3://models/contract.jsonl"] = json.dumps(facts.contract).encode()
    stored["s3://models/hostile.jsonl"] = json.dumps(facts.hostile).encode()
    stored["s3://models/holdout.csv"] = facts.holdout.encode()
    harbour.world.staging.serving = facts.serving
    harbour.world.mail.unconfirmed = facts.unconfirmed
    harbour.world.production.change_alarm(ALARM, facts.alarm)
    harbour.world.production_look.trust[harbour.world.production.execution_role_arn] = facts.role_trust
    if facts.search:
        harbour.world.search = facts.search
    container = {"Image": facts.image, "ImageDigest": IMAGE_DIGEST, "ModelDataUrl": f"{folder}/model.tar.gz"}
    harbour.world.registry.packages[package_arn(version)] = {
        "ModelPackageArn": package_arn(version),
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {"Containers": [container], "SupportedContentTypes": ["text/csv"]},
        "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": f"{folder}/quality.json"}}},
        "MetadataProperties": facts.lineage,
    }
    harbour.tell_registry(version)
    harbour.settle()
    if harbour.release(version).status is Status.AWAITING_APPROVAL:
        for approver in ("Ada", "Grace"):
            harbour.approve(approver)


def released(gate: str, facts: Facts) -> tuple[Harbour, Release]:
    """A second version with these facts, after a first that was good in everything and serves."""
    harbour = Harbour()
    document = policy()
    tests = document["staging"]["tests"]
    # Each online gate by itself: what makes one slow would make others fail too. Rows for it come from the replay.
    document["staging"]["tests"] = {name: tests[name] for name in tests if name in ("replay", gate)}
    if gate == "approval":
        # Nobody knows who made a version here, so both have to approve.
        people = [{"name": name, "email": f"{name.lower()}@example.com"} for name in ("Ada", "Grace")]
        document["approval"] = {"before": ["staging"], "approvers": people}
    harbour.apply(document)
    register(harbour, 1, Facts())
    harbour.traffic()
    harbour.pass_time(minutes=11)
    assert harbour.release(1).status is Status.PROMOTED, harbour.release(1).reason
    document["production"] |= facts.production
    harbour.apply(document)
    register(harbour, 2, facts)
    return harbour, harbour.release(2)


@pytest.mark.parametrize(
    ("gate", "outcome", "make"),
    [
        # A rate that is kept takes its seconds.
        pytest.param(gate, outcome, make, id=f"{gate} {outcome}", marks=[pytest.mark.full] if gate == "load" else [])
        for gate, cases in CASES.items()
        for outcome, make in cases
    ],
)
def test_a_verdict_is_in_the_sealed_dossier_and_only_passed_goes_on(
    gate: str, outcome: Outcome, make: Callable[[Facts], None]
) -> None:
    facts = Facts()
    make(facts)
    harbour, release = released(gate, facts)
    dossiers = read_dossiers(release, harbour.world)
    assert all(one.seal_holds for one in dossiers)
    documents = [one.document for one in dossiers if one.document]
    kind = "" if gate == "artifact" else f"{gate}:"
    every = [verdict for document in documents for verdict in document["verdicts"]]
    about = [one for one in every if one["gate"] == gate or (kind and one["gate"].startswith(kind))]
    found = [one for one in about if one["verdict"] == outcome]
    assert found, about
    for verdict in found:
        assert verdict["reason"]
        assert verdict["required"] is not None or outcome is INCONCLUSIVE
        assert verdict["measured"] is not None or outcome is INCONCLUSIVE
    if outcome is PASSED:
        assert release.status is Status.BAKING, release.reason
        return
    assert release.status is Status.FAILED
    assert found[0]["reason"] in release.reason
    assert not [name for name in harbour.world.production.models if release_id(2) in name]
    if outcome is INCONCLUSIVE:
        ours = found[0]["gate"].startswith(("approval:", "cost:", "preflight:"))
        cure = (
            "mend that, then `lockkeeper replay` the release"
            if ours
            else "supply what is missing and register the version again"
        )
        assert release.reason.endswith(cure)


def test_every_gate_of_the_code_is_tried() -> None:
    offline = {path.stem.replace("_", " ") for path in Path(gates.__file__).parent.glob("*.py")}
    offline -= {"  init  ", "verdicts"}
    assert {gate.split(":")[0] for gate in CASES} == offline | set(StagingTests.model_fields)
