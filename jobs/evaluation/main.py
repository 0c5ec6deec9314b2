"""The entry point of the job: labelled rows in, `evaluation.json` and `analysis.json` out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jobs.evaluation.bias import Outcomes, build_analysis
from jobs.evaluation.binary import BinaryClassification
from jobs.evaluation.errors import EvaluationError
from jobs.evaluation.facets import parse_facet
from jobs.evaluation.multiclass import MulticlassClassification
from jobs.evaluation.regression import Regression
from jobs.evaluation.report import Problem, build_report
from jobs.evaluation.serving import ask
from jobs.evaluation.table import label, labels, need_columns, numbers, read_table, texts

BINARY, MULTICLASS, REGRESSION = "BinaryClassification", "MulticlassClassification", "Regression"
REPORT_FILE = "evaluation.json"
ANALYSIS_FILE = "analysis.json"


def evaluate(given: argparse.Namespace) -> dict[str, Any]:
    """Judge the predictions in the rows, or the model on the rows; returns the report that it wrote.

    Raises:
        EvaluationError: the arguments, the rows or the model do not allow a report.
    """
    table = read_table(given.data)
    facets = [parse_facet(text) for text in given.facet]
    grouped = [given.group_variable] if given.group_variable else []
    need_columns(table, [given.label, *[facet.column for facet in facets], *grouped, *given.slice])
    if given.model is not None:
        table = _with_answers(given, table)
    problem = problem_of(given, table)
    documents = {REPORT_FILE: build_report(problem, {column: texts(table, column) for column in given.slice})}
    if facets:
        groups = texts(table, given.group_variable) if grouped else None
        documents[ANALYSIS_FILE] = build_analysis(outcomes_of(given, problem), facets, table, groups)
    given.output.mkdir(parents=True, exist_ok=True)
    for name, document in documents.items():
        (given.output / name).write_text(json.dumps(document, indent=2, allow_nan=False), encoding="utf-8")
    return documents[REPORT_FILE]


def _with_answers(given: argparse.Namespace, table: pd.DataFrame) -> pd.DataFrame:
    features, columns = _words(given.features), _words(given.answer)
    if not features:
        raise EvaluationError("--features has to name the columns that the model takes, in its order")
    need_columns(table, features)
    taken = [name for name in columns if name in table.columns]
    if taken:
        raise EvaluationError(
            f"the rows have a column {taken[0]} already; name the columns of the answer otherwise (--answer)"
        )
    return pd.concat([table, ask(given.model, given.program, table, features, columns)], axis=1)


def problem_of(given: argparse.Namespace, table: pd.DataFrame) -> Problem:
    """Truth and predictions, as the arguments name their columns; an EvaluationError where the rows do not fit them."""
    prediction = given.prediction
    if prediction is None and (given.probability is None or given.problem_type != BINARY):
        prediction = "prediction"
    need_columns(table, [name for name in (prediction, given.probability) if name is not None])
    if given.problem_type == REGRESSION:
        return Regression(numbers(table, given.label), numbers(table, prediction))
    truth = labels(table, given.label)
    if given.problem_type == BINARY:
        return _binary(given, truth, table, prediction)
    predicted = labels(table, prediction)
    classes, codes = np.unique(np.concatenate([truth, predicted]).astype(str), return_inverse=True)
    return MulticlassClassification(codes[: len(truth)], codes[len(truth) :], tuple(classes.tolist()))


def _binary(
    given: argparse.Namespace, truth: np.ndarray, table: pd.DataFrame, prediction: str | None
) -> BinaryClassification:
    positives = [label(text) for text in given.positive_label]
    if len(positives) != 1:
        raise EvaluationError("binary classification has one --positive-label")
    positive = positives[0]
    scores = None if given.probability is None else numbers(table, given.probability)
    others = set(truth.tolist()) - {positive}
    if prediction is None and scores is not None:
        predicted = scores >= given.threshold
    else:
        answered = labels(table, str(prediction))
        others |= set(answered.tolist()) - {positive}
        predicted = answered == positive
    if len(others) > 1:
        some = ", ".join(sorted(others)[:5])
        raise EvaluationError(
            f"binary classification takes the label {positive} and one other; labels and predictions hold {some}"
        )
    negative = others.pop() if others else ("0" if positive != "0" else "1")
    return BinaryClassification(truth == positive, predicted.astype(bool), scores, negative, positive)


def outcomes_of(given: argparse.Namespace, problem: Problem) -> Outcomes:
    """Who is labelled and who is predicted to get what people want."""
    if isinstance(problem, BinaryClassification):
        return Outcomes(given.label, problem.positive, problem.truth, problem.predicted)
    if isinstance(problem, Regression):
        if given.positive_above is None:
            raise EvaluationError(
                "facets of a regression need --positive-above: from where on a value is what people want"
            )
        highest = max(float(problem.truth.max()), float(problem.predicted.max()), given.positive_above)
        written = f"({given.positive_above}, {highest}]"
        return Outcomes(
            given.label, written, problem.truth > given.positive_above, problem.predicted > given.positive_above
        )
    wanted = [label(text) for text in given.positive_label]
    unknown = [text for text in wanted if text not in problem.classes]
    if unknown or not wanted:
        raise EvaluationError(f"--positive-label has to be among the labels: {', '.join(problem.classes)}")
    positive = np.isin(np.array(problem.classes), wanted)
    return Outcomes(given.label, ",".join(wanted), positive[problem.truth], positive[problem.predicted])


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def parse_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Read what to judge and how."""
    parser = argparse.ArgumentParser(prog="evaluation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of CSV files with a header: the labelled rows")
    parser.add_argument("--output", type=Path, required=True, help=f"folder for {REPORT_FILE} and {ANALYSIS_FILE}")
    parser.add_argument("--problem-type", choices=[BINARY, MULTICLASS, REGRESSION], default=BINARY)
    parser.add_argument("--label", default="label", help="column of the truth")
    parser.add_argument("--prediction", help="column of the predictions (default: prediction)")
    parser.add_argument("--probability", help="column of the positive label's probability, or of another score")
    parser.add_argument("--threshold", type=float, default=0.5, help="probability from which on, without predictions, "
                        "a row is predicted positive (default: 0.5)")  # fmt: skip
    parser.add_argument("--positive-label", action="append", help="the label people want (default: 1); for several "
                        "classes it may be given more than once")  # fmt: skip
    parser.add_argument("--positive-above", type=float, help="of a regression with facets: the bound above which a value "
                        "is what people want")  # fmt: skip
    parser.add_argument("--facet", action="append", default=[], help="who may be treated worse: sex=female, age>40, or "
                        "a column for each of its values; may be repeated")  # fmt: skip
    parser.add_argument("--group-variable", help="column that CDDL and CDDPL hold fixed")
    parser.add_argument("--slice", action="append", default=[], help="column to report each value of; may be repeated")
    parser.add_argument("--model", type=Path, help="model.tar.gz to ask; without it the rows hold the predictions")
    parser.add_argument("--program", default="inference.py", help="the model's serving script in code/")
    parser.add_argument("--features", default="", help="comma-separated columns the model takes, in its order")
    parser.add_argument("--answer", default="prediction,probability", help="names for the columns of its CSV answer")
    parser.add_argument("--message", type=Path, help="file for the reason of a failure")
    given = parser.parse_args(words)
    given.positive_label = given.positive_label or ["1"]
    return given


def main(words: Sequence[str] | None = None) -> int:
    """Run the job; returns its exit status."""
    given = parse_arguments(words)
    try:
        report = evaluate(given)
    except EvaluationError as error:
        sys.stderr.write(f"{error}\n")
        if given.message is not None:
            given.message.parent.mkdir(parents=True, exist_ok=True)
            # SageMaker shows the content of /opt/ml/output/message as the job's ExitMessage, 1,024 characters of it.
            given.message.write_text(str(error)[:1024], encoding="utf-8")
        return 1
    sys.stdout.write(f"evaluated {report['dataset']['item_count']} rows\n")
    return 0
