"""Real rows for the production endpoint, and what its answers are worth."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pandas as pd

from examples.wages.data import FEATURES, LABEL


@dataclass(frozen=True)
class Traffic:
    """Answers to rows, in the rows' order: the labels that came back and how long each took, in milliseconds.

    `names` are the inference ids that they were asked under.
    """

    truths: tuple[int, ...]
    answers: tuple[int, ...]
    latencies_ms: tuple[float, ...]
    variants: tuple[str, ...]
    names: tuple[str, ...] = ()

    @property
    def told(self) -> dict[str, str]:
        """What was true, by inference id."""
        return {name: str(truth) for name, truth in zip(self.names, self.truths, strict=True)}

    @property
    def accuracy(self) -> float:
        """Share of answers equal to the truth."""
        return sum(truth == answer for truth, answer in zip(self.truths, self.answers, strict=True)) / len(self.truths)

    @property
    def majority_share(self) -> float:
        """Accuracy of the better of two callers who always guess the same."""
        positives = sum(self.truths) / len(self.truths)
        return max(positives, 1 - positives)

    @property
    def confusion_matrix(self) -> dict[str, dict[str, int]]:
        """Counts by truth, then answer, in the format of model quality reports."""
        pairs = list(zip(self.truths, self.answers, strict=True))
        return {str(truth): {str(answer): pairs.count((truth, answer)) for answer in (0, 1)} for truth in (0, 1)}


def send_rows(runtime: Any, endpoint_name: str, rows: pd.DataFrame) -> Traffic:
    """Send each row as a request of its own, one after another.

    Args:
        runtime: a boto3 client of sagemaker-runtime.
        endpoint_name: the endpoint to ask.
        rows: label and features of `examples.wages.data.read_wages`.

    Raises:
        botocore.exceptions.ClientError: a request was not answered.
    """
    lines = rows[list(FEATURES)].to_csv(index=False, header=False).splitlines()
    answers, latencies, variants = [], [], set()
    names = tuple(f"{endpoint_name}-{uuid4().hex}" for _ in lines)
    for name, line in zip(names, lines, strict=True):
        began = time.perf_counter()
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint_name,
            Body=line.encode(),
            ContentType="text/csv",
            Accept="text/csv",
            InferenceId=name,
        )
        body = answer["Body"].read().decode()
        latencies.append(round(1000 * (time.perf_counter() - began), 3))
        answers.append(int(body.split(",")[0]))
        variants.add(answer["InvokedProductionVariant"])
    return Traffic(tuple(rows[LABEL].tolist()), tuple(answers), tuple(latencies), tuple(sorted(variants)), names)
