"""The evaluation job as it is started: files and arguments in, two documents or one sentence out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jobs.evaluation.main import main
from jobs.evaluation.pack import pack
from jobs.evaluation.table import label

SCRIPT = """
import json
from pathlib import Path

import threshold


def model_fn(model_dir):
    return json.loads((Path(model_dir) / "model.json").read_text())


def input_fn(body, content_type):
    assert content_type == "text/csv"
    return [line.split(",") for line in body.splitlines()]


def predict_fn(rows, model):
    return [float(row[1]) / float(row[0]) for row in rows]


def output_fn(scores, accept):
    return "".join(f"{int(threshold.holds(score))},{score}\\n" for score in scores), accept
"""


def write_rows(folder: Path, **columns: Any) -> Path:
    data = folder / "data"
    data.mkdir(exist_ok=True)
    pd.DataFrame(columns).to_csv(data / "rows.csv", index=False)
    return data


def write_model(folder: Path, script: str = SCRIPT, **others: str) -> Path:
    """A model archive whose script imports a neighbour, as teams' scripts do."""
    files = {"code/inference.py": script, "code/threshold.py": "def holds(score):\n    return score >= 0.5\n"}
    return write_archive(folder, {**files, "model.json": "{}", **others})


def write_archive(folder: Path, files: dict[str, str]) -> Path:
    archive = folder / "model.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            opened.addfile(member, io.BytesIO(text.encode()))
    return archive


def run(folder: Path, *words: str) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Start the job; returns its exit status, the report and the analysis (empty where it wrote none)."""
    output = folder / "output"
    status = main(["--data", str(folder / "data"), "--output", str(output), *words])
    found = []
    for name in ("evaluation.json", "analysis.json"):
        file = output / name
        found.append(json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})
    return status, found[0], found[1]


def refusal(folder: Path, *words: str) -> str:
    """Start a job that has to fail; returns the sentence it left."""
    message = folder / "output" / "message"
    status, report, analysis = run(folder, *words, "--message", str(message))
    assert (status, report, analysis) == (1, {}, {})
    return message.read_text(encoding="utf-8")


def test_predictions_in_the_rows_are_judged(tmp_path: Path) -> None:
    write_rows(
        tmp_path,
        label=[1, 1, 0, 0],
        prediction=[1, 0, 0, 0],
        probability=[0.9, 0.4, 0.2, 0.1],
        sex=["f", "m", "f", "m"],
    )
    status, report, analysis = run(tmp_path, "--probability", "probability", "--facet", "sex=f", "--slice", "sex")
    assert status == 0
    metrics = report["binary_classification_metrics"]
    assert (metrics["accuracy"]["value"], metrics["auc"]["value"]) == (0.75, 1.0)
    assert report["slices"]["sex"]["m"]["binary_classification_metrics"]["recall"]["value"] == 0
    dppl = next(
        metric
        for metric in analysis["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"]
        if metric["name"] == "DPPL"
    )
    assert dppl["value"] == -0.5


def test_probabilities_alone_are_compared_with_the_threshold(tmp_path: Path) -> None:
    write_rows(tmp_path, label=["yes", "no", "yes"], score=[0.9, 0.7, 0.6])
    words = ("--probability", "score", "--positive-label", "yes")
    assert run(tmp_path, *words)[1]["binary_classification_metrics"]["accuracy"]["value"] == pytest.approx(2 / 3)
    report = run(tmp_path, *words, "--threshold", "0.8")[1]
    matrix = {"no": {"no": 1, "yes": 0}, "yes": {"no": 1, "yes": 1}}
    assert report["binary_classification_metrics"]["confusion_matrix"] == matrix


def test_a_model_is_asked_through_its_own_script(tmp_path: Path) -> None:
    rows = 1201
    whole = np.arange(1, rows + 1)
    write_rows(tmp_path, label=[1] * 601 + [0] * 600, part=whole[::-1], whole=[rows] * rows, noise=["x"] * rows)
    model = write_model(tmp_path)
    before = list(sys.path)
    status, report, analysis = run(
        tmp_path, "--model", str(model), "--features", "whole,part", "--probability", "probability"
    )
    assert (status, analysis) == (0, {})
    assert report["dataset"]["item_count"] == rows
    assert report["binary_classification_metrics"]["accuracy"]["value"] == 1
    assert report["binary_classification_metrics"]["auc"]["value"] == 1
    assert sys.path == before


def test_what_the_script_leaves_out_is_the_toolkits(tmp_path: Path) -> None:
    script = """
class Doubler:
    def predict(self, rows):
        return rows[:, 0] * 2


def model_fn(model_dir):
    return Doubler()
"""
    write_rows(tmp_path, label=[2.0, 4.5], size=[1, 2])
    model = write_archive(tmp_path, {"code/inference.py": script})
    words = ("--model", str(model), "--features", "size", "--problem-type", "Regression")
    assert run(tmp_path, *words)[1]["regression_metrics"]["mae"]["value"] == 0.25


def test_a_transform_function_comes_first(tmp_path: Path) -> None:
    script = f"{SCRIPT}\n\ndef transform_fn(model, body, content_type, accept):\n    return '1,1.0\\n' * 2, accept\n"
    write_rows(tmp_path, label=[1, 1], whole=[1, 1], part=[0, 0])
    status, report, _ = run(tmp_path, "--model", str(write_model(tmp_path, script)), "--features", "whole,part")
    assert (status, report["binary_classification_metrics"]["accuracy"]["value"]) == (0, 1)


def test_a_script_that_joins_its_answers_by_commas_answers_every_row(tmp_path: Path) -> None:
    joined = """

def output_fn(scores, accept):
    return ",".join(map(str, scores)), accept
"""
    rows = 502  # Two of them in a request of their own.
    write_rows(tmp_path, label=[(rows - n) / rows for n in range(rows)], part=range(rows, 0, -1), whole=[rows] * rows)
    words = ("--model", str(write_model(tmp_path, SCRIPT + joined)), "--features", "whole,part")
    status, report, _ = run(tmp_path, *words, "--problem-type", "Regression")
    assert (status, report["dataset"]["item_count"]) == (0, rows)
    assert report["regression_metrics"]["mae"]["value"] == 0


@pytest.mark.parametrize("answer", ["1,0.5", "1,0,1,0"])
def test_one_line_of_another_number_of_cells_is_no_answer(tmp_path: Path, answer: str) -> None:
    script = f"{SCRIPT}\n\ndef transform_fn(model, body, content_type, accept):\n    return '{answer}', accept\n"
    write_rows(tmp_path, label=[1, 0, 1], whole=[1, 1, 1], part=[0, 0, 0])
    told = refusal(tmp_path, "--model", str(write_model(tmp_path, script)), "--features", "whole,part")
    assert told == "the model answered rows 1 to 3 with 1 lines of CSV"


def test_several_classes_have_weighted_metrics_and_wanted_labels(tmp_path: Path) -> None:
    write_rows(tmp_path, label=list("aabbcc"), prediction=list("abbbcc"), sex=list("fmfmfm"))
    words = ("--problem-type", "MulticlassClassification", "--facet", "sex=f", "--positive-label", "a")
    status, report, analysis = run(tmp_path, *words, "--positive-label", "b")
    assert status == 0
    metrics = report["multiclass_classification_metrics"]
    assert metrics["accuracy"]["value"] == pytest.approx(5 / 6)
    assert metrics["confusion_matrix"]["a"] == {"a": 1, "b": 1, "c": 0}
    assert analysis["pre_training_bias_metrics"]["label_value_or_threshold"] == "a,b"


def test_a_regression_with_facets_says_what_is_wanted(tmp_path: Path) -> None:
    write_rows(tmp_path, label=[10, 20, 30, 40], prediction=[10, 20, 30, 10], sex=list("ffmm"))
    words = ("--problem-type", "Regression", "--facet", "sex=f")
    assert "--positive-above" in refusal(tmp_path, *words)
    status, _, analysis = run(tmp_path, *words, "--positive-above", "25")
    assert status == 0
    assert analysis["pre_training_bias_metrics"]["label_value_or_threshold"] == "(25.0, 40.0]"
    values = {
        one["name"]: one.get("value") for one in analysis["pre_training_bias_metrics"]["facets"]["sex"][0]["metrics"]
    }
    assert values["DPL"] == 1


def test_the_ways_of_writing_a_label_are_one_label() -> None:
    assert {label(text) for text in ("1", "1.0", " 1 ", "1.000000000000000000e+00", "1.")} == {"1"}
    assert [label(text) for text in ("007", "1.5", "yes", "inf", "1e400", "NA")] == [
        "007",
        "1.5",
        "yes",
        "inf",
        "1e400",
        "NA",
    ]


@pytest.mark.parametrize(
    ("columns", "words", "sentence"),
    [
        (
            {"label": [1, 0], "prediction": [1, float("nan")]},
            (),
            "1 of 2 rows have no usable value in the column prediction",
        ),
        ({"label": [float("nan"), 0.0], "prediction": [1, 0]}, (), "the first is row 1"),
        (
            {"label": [1, 0], "score": [0.5, float("inf")]},
            ("--probability", "score"),
            "usable value in the column score",
        ),
        ({"label": [1, 0]}, (), "the rows have no column prediction; they have label"),
        ({"label": [1, 0], "prediction": [1, 0]}, ("--facet", "sex=f"), "no column sex"),
        ({"label": [1, 0], "prediction": [1, 0]}, ("--slice", "region"), "no column region"),
        ({"label": [1, 0], "prediction": [1, 0]}, ("--positive-label", "yes"), "takes the label yes and one other"),
        ({"label": [0, 1, 2], "prediction": [0, 1, 1]}, (), "labels and predictions hold 0, 2"),
        ({"label": [1, 0], "prediction": [0.7, 0.2]}, (), "labels and predictions hold 0, 0.2, 0.7"),
        (
            {"label": [1, 0], "prediction": [1, 0]},
            ("--positive-label", "1", "--positive-label", "0"),
            "one --positive-label",
        ),
        ({"label": [1.5, 2], "prediction": ["x", "2"]}, ("--problem-type", "Regression"), "1 of 2 rows"),
        ({"label": [], "prediction": []}, (), "a header and no row"),
    ],
)
def test_what_cannot_be_judged_ends_with_a_sentence(
    tmp_path: Path, columns: dict[str, Any], words: tuple[str, ...], sentence: str
) -> None:
    write_rows(tmp_path, **columns)
    assert sentence in refusal(tmp_path, *words)


def test_data_that_is_no_table_ends_with_a_sentence(tmp_path: Path) -> None:
    assert "holds no *.csv" in refusal(tmp_path)
    data = write_rows(tmp_path, label=[1], prediction=[1])
    (data / "more.csv").write_text("label,other\n1,1\n")
    assert "rows.csv has other columns than more.csv" in refusal(tmp_path)
    (data / "more.csv").write_bytes(b"label,prediction\n\xff\xfe,1\n")
    assert "more.csv is no CSV" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "def model_fn(model_dir):\n    raise OSError('no such weights')\n",
            "did not load the model: OSError: no such weights",
        ),
        (SCRIPT.replace("float(row[1])", "float('one')"), "did not answer rows 1 to 2: ValueError"),
        (SCRIPT.replace("for score in scores", "for score in scores[:1]"), "answered rows 1 to 2 with 1 lines"),
        (SCRIPT.replace(", accept\n", ", 'application/json'\n"), "asked for text/csv and answered application/json"),
        (SCRIPT.replace("{int(threshold.holds(score))},{score}", "nan"), "no usable value in the column prediction"),
    ],
)
def test_a_model_that_cannot_answer_ends_with_a_sentence(tmp_path: Path, script: str, sentence: str) -> None:
    write_rows(tmp_path, label=[1, 0], whole=[1, 1], part=[1, 0])
    model = write_model(tmp_path, script)
    assert sentence in refusal(tmp_path, "--model", str(model), "--features", "whole,part")


def test_an_archive_that_is_none_ends_with_a_sentence(tmp_path: Path) -> None:
    write_rows(tmp_path, label=[1], whole=[1], part=[1])
    words = ("--features", "whole,part", "--model", str(tmp_path / "model.tar.gz"))
    write_archive(tmp_path, {"model.json": "{}"})
    assert "the archive holds no code/inference.py" in refusal(tmp_path, *words)
    write_archive(tmp_path, {"../code/inference.py": SCRIPT})
    assert "../code/inference.py, which is no plain file inside of it" in refusal(tmp_path, *words)
    (tmp_path / "model.tar.gz").write_bytes(b"no archive")
    assert "is not a readable tar archive" in refusal(tmp_path, *words)


def test_a_model_needs_its_features_and_names_of_its_own(tmp_path: Path) -> None:
    write_rows(tmp_path, label=[1], whole=[1], part=[1], prediction=[1])
    model = str(write_model(tmp_path))
    assert "--features has to name the columns" in refusal(tmp_path, "--model", model)
    assert "no column age" in refusal(tmp_path, "--model", model, "--features", "age")
    assert "a column prediction already" in refusal(tmp_path, "--model", model, "--features", "whole,part")


def test_the_packed_job_runs_alone_and_is_always_the_same(tmp_path: Path) -> None:
    first, second = tmp_path / "evaluation.zip", tmp_path / "again.zip"
    pack(first)
    pack(second)
    assert first.read_bytes() == second.read_bytes()
    data = write_rows(tmp_path, label=[1, 0], prediction=[1, 0])
    words = [sys.executable, "-I", str(first), "--data", str(data), "--output", str(tmp_path / "output")]
    done = subprocess.run(
        words, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "evaluated 2 rows\n"
    assert (tmp_path / "output" / "evaluation.json").is_file()
