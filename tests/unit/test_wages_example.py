"""The wages example: its data, its training and evaluation code, its serving code, its pipeline and its policy."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from lockkeeper.domain import staging_tests
from lockkeeper.domain.evidence import ChampionEvidence, Evidence
from lockkeeper.domain.gates import judge_offline
from lockkeeper.domain.gates.verdicts import worst
from lockkeeper.domain.online.replay import REPLAY_METRICS
from lockkeeper.domain.online.rows import Answered, labelled_rows, predictions_in
from lockkeeper.domain.policy import parse_policy
from lockkeeper.domain.release import Outcome

from examples.wages import inference, train
from examples.wages.data import FEATURES, PROTECTED, read_wages, select_rows, split_people
from examples.wages.prepare import Prepared, prepare
from examples.wages.suites import contract_cases
from jobs.evaluation.main import main

EXAMPLE = Path(train.__file__).parent
BIASED_FEATURES = f"{train.DEFAULT_FEATURES},sex,married,black"


@dataclass(frozen=True)
class Trained:
    """What the jobs leave: the model folder, evaluation.json and analysis.json."""

    model: Path
    report: dict[str, Any]
    analysis: dict[str, Any]

    @property
    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = self.report["binary_classification_metrics"]
        return found

    @property
    def evidence(self) -> Evidence:
        """What the registry of such a version would point to."""
        return Evidence({"model_quality": self.report, "bias": self.analysis})

    def bias(self, metric: str, facet: str) -> Any:
        """The value of a bias metric of the predictions."""
        (entry,) = self.analysis["post_training_bias_metrics"]["facets"][facet]
        return next(one["value"] for one in entry["metrics"] if one["name"] == metric)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    folder = tmp_path_factory.mktemp("wages")
    return folder, prepare(folder)


def evaluation_words(folder: Path, archive: Path, features: str) -> list[str]:
    """The arguments of the pipeline's Evaluate step, with the container's folders and the parameter filled in."""
    definition = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))
    step = next(one for one in definition["Steps"] if one["Name"] == "Evaluate")
    given = step["Arguments"]["AppSpecification"]["ContainerArguments"]
    places = {
        "/opt/ml/processing/input/model/model.tar.gz": archive,
        "/opt/ml/processing/input/data": folder / "evaluation",
        "/opt/ml/processing/output/evaluation": archive.with_suffix(".evaluation"),
        "/opt/ml/output/message": archive.with_suffix(".message"),
    }
    words = [features if word == {"Get": "Parameters.Features"} else word for word in given]
    return [str(places.get(word, word)) for word in words]


def train_model(folder: Path, name: str, features: str = train.DEFAULT_FEATURES) -> Trained:
    """Run training and evaluation as the pipeline's jobs do."""
    model = folder / name
    arguments = [f"--train={folder / 'train'}", f"--validation={folder / 'validation'}", f"--model-dir={model}"]
    train.train(train.parse_arguments([*arguments, f"--features={features}"]))
    archive = folder / f"{name}.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(model, arcname=".")
    assert main(evaluation_words(folder, archive, features)) == 0
    written = archive.with_suffix(".evaluation")
    report, analysis = (
        json.loads((written / file).read_text(encoding="utf-8")) for file in ("evaluation.json", "analysis.json")
    )
    return Trained(model, report, analysis)


@pytest.fixture(scope="module")
def trained(prepared: tuple[Path, Prepared]) -> Trained:
    return train_model(prepared[0], "model")


@pytest.fixture(scope="module")
def narrow(prepared: tuple[Path, Prepared]) -> Trained:
    return train_model(prepared[0], "narrow", "wks,south")


def test_the_panel_has_595_people_in_seven_years() -> None:
    wages = read_wages()
    assert len(wages) == 4165
    assert wages["person"].nunique() == 595
    assert sorted(wages["year"].unique()) == list(range(1976, 1983))
    # Experience grows by one a year within a person: the rows are in the order that person and year are derived from.
    assert (wages.groupby("person")["exp"].diff().dropna() == 1).all()


def test_nobody_is_in_two_parts_of_the_split() -> None:
    wages = read_wages()
    people = split_people(wages)
    parts = [people.train, people.validation, people.holdout]
    assert sum(len(part) for part in parts) == len(frozenset().union(*parts)) == 595
    assert split_people(wages) == people
    assert split_people(wages, seed=1) != people


def test_the_three_parts_are_paid_alike() -> None:
    wages = read_wages()
    people = split_people(wages)
    shares = [select_rows(wages, part, 1976, 1982)["label"].mean() for part in (people.train, people.holdout)]
    assert shares[0] == pytest.approx(shares[1], abs=0.02)


def test_prepared_rows_are_those_of_the_training_years(prepared: tuple[Path, Prepared]) -> None:
    folder, counts = prepared
    assert counts == Prepared(1071, 177, 537, 537, len(contract_cases()))
    header = (folder / "train" / "train.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == ",".join(["label", *FEATURES, *PROTECTED])
    with tarfile.open(folder / "code" / "sourcedir.tar.gz") as archive:
        assert archive.getnames() == ["train.py", "inference.py"]


def test_the_default_model_beats_the_majority_class(trained: Trained) -> None:
    assert trained.metrics["accuracy"]["value"] == pytest.approx(0.76, abs=0.02)
    assert trained.metrics["accuracy_best_constant_classifier"]["value"] == pytest.approx(0.683, abs=0.005)
    assert trained.metrics["auc"]["value"] > 0.75


def test_weeks_and_south_alone_are_no_better_than_the_majority_class(narrow: Trained) -> None:
    assert narrow.metrics["accuracy"]["value"] == pytest.approx(
        narrow.metrics["accuracy_best_constant_classifier"]["value"], abs=0.005
    )


def test_protected_attributes_make_a_model_more_accurate_and_less_fair(
    prepared: tuple[Path, Prepared], trained: Trained
) -> None:
    biased = train_model(prepared[0], "biased", BIASED_FEATURES)
    assert biased.metrics["accuracy"]["value"] > trained.metrics["accuracy"]["value"] + 0.01
    assert trained.bias("DPPL", "sex") == pytest.approx(0.04, abs=0.03)
    assert biased.bias("DPPL", "sex") == pytest.approx(0.26, abs=0.03)
    assert trained.bias("DI", "sex") > 0.8 > 0.3 > biased.bias("DI", "sex")


def test_the_policy_stops_the_biased_model_by_its_bias_alone(prepared: tuple[Path, Prepared], trained: Trained) -> None:
    policy = parse_policy((EXAMPLE / "policy.yaml").read_text(encoding="utf-8"), source="policy.yaml")
    biased = train_model(prepared[0], "biased-again", BIASED_FEATURES)
    champion = ChampionEvidence(1, trained.evidence.reports)
    verdicts = judge_offline(policy.gates, biased.evidence, champion)
    assert [one.gate for one in verdicts if one.verdict is not Outcome.PASSED] == ["bias: DPPL(sex)"]


def test_the_policy_passes_the_default_model_and_stops_the_narrow_one(trained: Trained, narrow: Trained) -> None:
    policy = parse_policy((EXAMPLE / "policy.yaml").read_text(encoding="utf-8"), source="policy.yaml")
    assert worst(judge_offline(policy.gates, trained.evidence, None)) is Outcome.PASSED
    champion = ChampionEvidence(1, trained.evidence.reports)
    verdicts = [one for one in judge_offline(policy.gates, narrow.evidence, champion) if one.gate.startswith("quality")]
    assert [verdict.verdict for verdict in verdicts] == [Outcome.FAILED, Outcome.FAILED]


def test_the_evaluation_tells_what_it_was_asked_for(trained: Trained) -> None:
    assert trained.report["dataset"]["item_count"] == 537
    assert {column: set(values) for column, values in trained.report["slices"].items()} == {
        "sex": {"female", "male"},
        "black": {"no", "yes"},
    }
    matrix = trained.metrics["confusion_matrix"]
    assert (matrix["0"]["0"] + matrix["1"]["1"]) / 537 == pytest.approx(trained.metrics["accuracy"]["value"])
    for part in ("pre", "post"):
        section = trained.analysis[f"{part}_training_bias_metrics"]
        values = {
            facet: [entry["value_or_threshold"] for entry in entries] for facet, entries in section["facets"].items()
        }
        assert values == {"sex": ["female"], "black": ["yes"]}
        assert all(metric["value"] is not None for metric in section["facets"]["sex"][0]["metrics"])


def test_the_archive_serves_after_training_as_a_job(prepared: tuple[Path, Prepared]) -> None:
    folder, _ = prepared
    code, model = folder / "job-code", folder / "job-model"
    with tarfile.open(folder / "code" / "sourcedir.tar.gz") as archive:
        archive.extractall(code, filter="data")
    environment = {
        "PATH": os.environ["PATH"],
        "OMP_NUM_THREADS": "1",
        "SM_CHANNEL_TRAIN": str(folder / "train"),
        "SM_CHANNEL_VALIDATION": str(folder / "validation"),
        "SM_MODEL_DIR": str(model),
    }
    words = [sys.executable, str(code / "train.py"), "--estimator", "forest", "--trees", "10"]
    log = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    definition = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))
    for metric in definition["Steps"][0]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]:
        assert re.search(metric["Regex"], log), f"{metric['Name']} is not in the log"
    assert sorted(path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()) == [
        "code/inference.py",
        "features.json",
        "model.joblib",
    ]


def answer(model: dict[str, Any], case: dict[str, Any], serving: Any = inference) -> Answered:
    """Serve one request as the container does: the status of a refusal is the exception's `code`."""
    try:
        instances = serving.input_fn(case["body"], case["content_type"])
        predictions = serving.predict_fn(instances, model)
        body, content_type = serving.output_fn(predictions, case.get("accept", "application/json"))
    except serving.InvalidRequestError as error:
        return Answered(error.code, "text/plain", error.description)
    return Answered(200, content_type, body)


def test_every_recorded_request_is_answered_as_recorded(trained: Trained) -> None:
    model = inference.model_fn(str(trained.model))
    lines = "".join(json.dumps(case) + "\n" for case in contract_cases())
    cases = staging_tests.contract_cases(lines, source="contract.jsonl")
    answers = [answer(model, case) for case in contract_cases()]
    verdict = staging_tests.judge_contract(cases, answers)
    assert verdict.verdict is Outcome.PASSED, verdict.reason


def test_the_model_served_is_the_model_evaluated(prepared: tuple[Path, Prepared], trained: Trained) -> None:
    text = (prepared[0] / "tests" / "holdout.csv").read_text(encoding="utf-8")
    rows = labelled_rows(text, source="holdout.csv")
    request = {"content_type": "text/csv", "accept": "text/csv", "body": "\n".join(row.features for row in rows)}
    predictions = predictions_in(answer(inference.model_fn(str(trained.model)), request), len(rows))
    measured = REPLAY_METRICS["accuracy"].of([row.label for row in rows], predictions)
    assert measured == pytest.approx(trained.metrics["accuracy"]["value"])


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("12,48,no,yes,no,yes,no", "ed"),
        ("12,many,no,yes,no,yes,no,16", "wks"),
        ("12,48,no,perhaps,no,yes,no,16", "ind"),
    ],
)
def test_a_refusal_names_the_column(trained: Trained, body: str, column: str) -> None:
    model = inference.model_fn(str(trained.model))
    with pytest.raises(ValueError, match=rf"column {column}\b"):
        inference.predict_fn(inference.input_fn(body, "text/csv"), model)


def pipeline_values(node: Any) -> list[str]:
    """Every `Get` reference under a part of the definition."""
    if isinstance(node, dict):
        return ([node["Get"]] if "Get" in node else []) + [
            ref for value in node.values() for ref in pipeline_values(value)
        ]
    return [ref for value in node for ref in pipeline_values(value)] if isinstance(node, list) else []


def test_the_pipeline_refers_only_to_what_it_has() -> None:
    definition = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))
    used: set[str] = set()
    steps: list[str] = []
    for step in definition["Steps"]:
        for reference in pipeline_values(step):
            kind, name, *_ = reference.split(".")
            if kind == "Parameters":
                used.add(name)
            elif kind == "Steps":
                assert name in steps, f"{step['Name']} reads {name} before it ran"
        steps.append(step["Name"])
    assert used == {parameter["Name"] for parameter in definition["Parameters"]}


def resolved(node: Any) -> Any:
    """The part of a definition with every reference replaced by a plausible value."""
    if isinstance(node, list):
        return [resolved(value) for value in node]
    if not isinstance(node, dict):
        return node
    if "Std:Join" in node:
        return "s3://bucket/key"
    if "Get" in node:
        return {"Parameters.RoleArn": "arn:aws:iam::111122223333:role/Training"}.get(node["Get"], "s3://bucket/key")
    return {name: resolved(value) for name, value in node.items()}


@pytest.mark.parametrize(
    ("step", "operation", "added"),
    [
        ("Train", "CreateTrainingJob", {"TrainingJobName": "wages-1"}),
        ("Evaluate", "CreateProcessingJob", {"ProcessingJobName": "wages-1"}),
        ("Register", "CreateModelPackage", {}),
    ],
)
def test_the_pipelines_arguments_fit_the_api(step: str, operation: str, added: dict[str, str]) -> None:
    definition = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))
    arguments = next(one["Arguments"] for one in definition["Steps"] if one["Name"] == step)
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model(operation).input_shape
    report = ParamValidator().validate({**resolved(arguments), **added}, shape)
    assert not report.has_errors(), report.generate_report()
