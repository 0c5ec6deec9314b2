"""docs/evaluation.md against the job: arguments, metrics of both documents, and what it says of the wages example."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from jobs.evaluation import main
from jobs.evaluation.bias_metrics import POST_TRAINING, PRE_TRAINING
from jobs.evaluation.binary import BinaryClassification
from jobs.evaluation.multiclass import MulticlassClassification
from jobs.evaluation.regression import Regression

PROJECT = Path(__file__).resolve().parents[2]
PAGE = (PROJECT / "docs" / "evaluation.md").read_text(encoding="utf-8")


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the first table in a section, without its head."""
    part = re.split(r"^## ", PAGE.split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    table = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table[2:]]


def test_every_argument_is_in_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.parse_arguments(["--help"])
    options = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert {row[0].strip("`") for row in rows_below("Arguments")} == options


def test_defaults_of_the_table_are_those_of_the_job() -> None:
    given = vars(main.parse_arguments(["--data", "rows", "--output", "out"]))
    for name, _, default in rows_below("Arguments"):
        value = given[name.strip("`-").replace("-", "_")]
        if default.startswith("`") and name.strip("`") != "--prediction":
            written = value[0] if isinstance(value, list) else value
            assert default.strip("`") == str(written), name


def test_every_bias_metric_is_in_the_table() -> None:
    told = {(row[0].strip("`"), row[1]) for row in rows_below("The bias analysis")}
    assert told == {(name, "pre") for name in PRE_TRAINING} | {(name, "post") for name in POST_TRAINING}


def test_every_quality_metric_is_in_the_table() -> None:
    truth, codes = np.array([True, False]), np.array([0, 1])
    problems = {
        BinaryClassification.key: BinaryClassification(truth, truth, np.array([0.9, 0.1]), "0", "1"),
        MulticlassClassification.key: MulticlassClassification(codes, codes, ("a", "b")),
        Regression.key: Regression(codes, codes),
    }
    for key, metrics in rows_below("The model-quality report"):
        names = set(re.findall(r"`([^`]+)`", metrics)) - {"..._best_constant_classifier"}
        written = problems.pop(key.strip("`")).scalars()
        assert {name for name in written if not name.endswith("_best_constant_classifier")} == names, key
    assert problems == {}


def test_the_samples_of_the_page_are_json() -> None:
    samples = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
    assert [sorted(sample) for sample in samples] == [
        ["binary_classification_metrics", "dataset", "slices", "version"],
        ["post_training_bias_metrics", "version"],
    ]
