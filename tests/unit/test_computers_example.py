"""The computers example: its data, its training and evaluation code, its serving code, its pipeline and its policy."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tokenize
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
from lockkeeper.domain.online.rows import labelled_rows, predictions_in
from lockkeeper.domain.policy import Policy, parse_policy
from lockkeeper.domain.release import Outcome

from cli.simulate_command import scanned
from cli.story.computers import predict
from examples.computers import inference, train
from examples.computers.data import FEATURES, LABEL, read_computers, select_months, split_rows
from examples.computers.prepare import COLUMNS, Prepared, prepare
from examples.computers.suites import contract_cases
from jobs.evaluation.main import main
from tests.unit.test_wages_example import answer, pipeline_values, resolved

EXAMPLE = Path(train.__file__).parent
DEFINITION: dict[str, Any] = json.loads((EXAMPLE / "pipeline.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Trained:
    """What the jobs leave: the model's folder and archive, and evaluation.json."""

    model: Path
    archive: Path
    report: dict[str, Any]

    @property
    def metrics(self) -> dict[str, float]:
        return {name: one["value"] for name, one in self.report["regression_metrics"].items()}

    @property
    def evidence(self) -> Evidence:
        """What the registry of such a version would point to."""
        return Evidence({"model_quality": self.report})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Prepared]:
    folder = tmp_path_factory.mktemp("computers")
    return folder, prepare(folder)


def policy() -> Policy:
    return parse_policy((EXAMPLE / "policy.yaml").read_text(encoding="utf-8"), source="policy.yaml")


def evaluation_words(folder: Path, archive: Path, features: str) -> list[str]:
    """The arguments of the pipeline's Evaluate step, with the container's folders and the parameter filled in."""
    step = next(one for one in DEFINITION["Steps"] if one["Name"] == "Evaluate")
    places = {
        "/opt/ml/processing/input/model/model.tar.gz": archive,
        "/opt/ml/processing/input/data": folder / "evaluation",
        "/opt/ml/processing/output/evaluation": archive.with_suffix(".evaluation"),
        "/opt/ml/output/message": archive.with_suffix(".message"),
    }
    given = step["Arguments"]["AppSpecification"]["ContainerArguments"]
    words = [features if word == {"Get": "Parameters.Features"} else word for word in given]
    return [str(places.get(word, word)) for word in words]


def train_model(folder: Path, name: str, features: str = train.DEFAULT_FEATURES) -> Trained:
    """Run training and evaluation as the pipeline's jobs do."""
    model, archive = folder / name, folder / f"{name}.tar.gz"
    words = [f"--train={folder / 'train'}", f"--validation={folder / 'validation'}", f"--model-dir={model}"]
    train.train(train.parse_arguments([*words, f"--features={features}"]))
    with tarfile.open(archive, "w:gz") as opened:
        opened.add(model, arcname=".")
    assert main(evaluation_words(folder, archive, features)) == 0
    report = (archive.with_suffix(".evaluation") / "evaluation.json").read_text(encoding="utf-8")
    return Trained(model, archive, json.loads(report))


@pytest.fixture(scope="module")
def trained(prepared: tuple[Path, Prepared]) -> Trained:
    return train_model(prepared[0], "model")


@pytest.fixture(scope="module")
def narrow(prepared: tuple[Path, Prepared]) -> Trained:
    return train_model(prepared[0], "narrow", "screen,cd")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("recent")
    prepare(folder, 18, 24)
    return train_model(folder, "model")


def test_the_table_has_6259_computers_in_35_months() -> None:
    computers = read_computers()
    assert len(computers) == 6259
    assert sorted(computers["month"].unique()) == list(range(1, 36))
    assert set(computers["cd"]) == set(computers["multi"]) == set(computers["premium"]) == {"yes", "no"}


def test_no_row_is_in_two_parts_of_the_split() -> None:
    rows = select_months(read_computers(), 1, 12)
    parts = split_rows(rows)
    numbers = [set(part.index) for part in (parts.train, parts.validation, parts.holdout)]
    assert sum(len(part) for part in numbers) == len(set().union(*numbers)) == len(rows)
    assert split_rows(rows).train.equals(parts.train)
    assert not split_rows(rows, seed=1).train.equals(parts.train)


def test_prepared_rows_are_those_of_the_training_months(prepared: tuple[Path, Prepared]) -> None:
    folder, counts = prepared
    assert counts == Prepared(1393, 232, 697, len(contract_cases()))
    header = (folder / "train" / "train.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == ",".join(COLUMNS)
    with tarfile.open(folder / "code" / "sourcedir.tar.gz") as archive:
        assert archive.getnames() == ["train.py", "inference.py"]


def test_the_model_is_wrong_by_165_dollars_then_by_730_and_retrained_by_135(
    trained: Trained, retrained: Trained
) -> None:
    assert trained.metrics["mae"] == pytest.approx(165, abs=10)
    assert trained.metrics["r2"] == pytest.approx(0.86, abs=0.03)
    rows = select_months(read_computers(), 18, 24)
    later = [abs(one - price) for one, price in zip(predicted(trained, rows), rows[LABEL], strict=True)]
    assert sum(later) / len(later) == pytest.approx(730, abs=40)
    assert retrained.metrics["mae"] == pytest.approx(135, abs=10)
    assert retrained.metrics["r2"] == pytest.approx(0.91, abs=0.03)


def predicted(trained: Trained, rows: Any) -> list[float]:
    cells = [list(row) for row in rows[list(FEATURES)].itertuples(index=False)]
    return [one["prediction"] for one in inference.predict_fn(cells, inference.model_fn(str(trained.model)))]


def test_the_policy_passes_the_models_and_stops_the_narrow_one(
    trained: Trained, narrow: Trained, retrained: Trained
) -> None:
    gates = policy().gates
    assert worst(judge_offline(gates, trained.evidence, None)) is Outcome.PASSED
    champion = ChampionEvidence(1, trained.evidence.reports)
    verdicts = [one for one in judge_offline(gates, narrow.evidence, champion) if one.gate.startswith("quality")]
    assert [verdict.verdict for verdict in verdicts] == [Outcome.FAILED, Outcome.FAILED]
    assert worst(judge_offline(gates, retrained.evidence, champion)) is Outcome.PASSED


def test_the_scan_finds_nothing_in_the_artifact(trained: Trained) -> None:
    found = scanned(trained.archive, policy().gates.artifact)
    assert found.findings == []
    assert found.pickles == ["./model.joblib"]


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
    words = [sys.executable, str(code / "train.py"), "--estimator", "linear"]
    log = subprocess.run(words, env=environment, capture_output=True, text=True, check=True).stdout
    for metric in DEFINITION["Steps"][0]["Arguments"]["AlgorithmSpecification"]["MetricDefinitions"]:
        assert re.search(metric["Regex"], log), f"{metric['Name']} is not in the log"
    assert sorted(path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file()) == [
        "code/inference.py",
        "features.json",
        "model.joblib",
    ]


def test_every_recorded_request_is_answered_as_recorded(trained: Trained) -> None:
    model = inference.model_fn(str(trained.model))
    lines = "".join(json.dumps(case) + "\n" for case in contract_cases())
    cases = staging_tests.contract_cases(lines, source="contract.jsonl")
    answers = [answer(model, case, inference) for case in contract_cases()]
    verdict = staging_tests.judge_contract(cases, answers)
    assert verdict.verdict is Outcome.PASSED, verdict.reason


def test_the_model_served_is_the_model_evaluated(prepared: tuple[Path, Prepared], trained: Trained) -> None:
    text = (prepared[0] / "tests" / "holdout.csv").read_text(encoding="utf-8")
    rows = labelled_rows(text, source="holdout.csv")
    request = {"content_type": "text/csv", "accept": "text/csv", "body": "\n".join(row.features for row in rows)}
    predictions = predictions_in(answer(inference.model_fn(str(trained.model)), request, inference), len(rows))
    measured = REPLAY_METRICS["mae"].of([row.label for row in rows], predictions)
    assert measured == pytest.approx(trained.metrics["mae"], abs=1e-5)


def test_an_artifact_loaded_elsewhere_answers_the_same(trained: Trained) -> None:
    rows = read_computers().head(20)
    assert predict(trained.archive.read_bytes(), rows, inference) == pytest.approx(predicted(trained, rows))


@pytest.mark.parametrize(
    ("body", "column"),
    [
        ("33,170,8,14,no,no", "premium"),
        ("33,large,8,14,no,no,yes", "hd"),
        ("33,170,8,14,no,perhaps,yes", "multi"),
    ],
)
def test_a_refusal_names_the_column(trained: Trained, body: str, column: str) -> None:
    model = inference.model_fn(str(trained.model))
    with pytest.raises(ValueError, match=rf"column {column}\b"):
        inference.predict_fn(inference.input_fn(body, "text/csv"), model)


def test_the_pipeline_refers_only_to_what_it_has() -> None:
    used: set[str] = set()
    steps: list[str] = []
    for step in DEFINITION["Steps"]:
        for reference in pipeline_values(step):
            kind, name, *_ = reference.split(".")
            if kind == "Parameters":
                used.add(name)
            elif kind == "Steps":
                assert name in steps, f"{step['Name']} reads {name} before it ran"
        steps.append(step["Name"])
    assert used == {parameter["Name"] for parameter in DEFINITION["Parameters"]}


@pytest.mark.parametrize(
    ("step", "operation", "added"),
    [
        ("Train", "CreateTrainingJob", {"TrainingJobName": "computers-1"}),
        ("Evaluate", "CreateProcessingJob", {"ProcessingJobName": "computers-1"}),
        ("Register", "CreateModelPackage", {}),
    ],
)
def test_the_pipelines_arguments_fit_the_api(step: str, operation: str, added: dict[str, str]) -> None:
    arguments = next(one["Arguments"] for one in DEFINITION["Steps"] if one["Name"] == step)
    service = botocore.session.get_session().get_service_model("sagemaker")
    shape = service.operation_model(operation).input_shape
    report = ParamValidator().validate({**resolved(arguments), **added}, shape)
    assert not report.has_errors(), report.generate_report()


def test_no_product_code_knows_which_example_runs() -> None:
    project, examples = EXAMPLE.parents[1], re.compile(r"\b(wages|computers)\b", re.IGNORECASE)
    knowing = [
        f"{path.relative_to(project)}:{token.start[0]}"
        for folder in ("layers/core", "functions", "jobs")
        for path in sorted((project / folder).rglob("*.py"))
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline)
        # Docstrings may give examples.
        if token.type in (tokenize.NAME, tokenize.STRING) and not token.string.startswith('"""')
        if examples.search(token.string)
    ]
    texts = ("template.yaml", "environments/account.yaml", "statemachines/release.asl.yaml")
    assert knowing + [path for path in texts if examples.search((project / path).read_text(encoding="utf-8"))] == []
