"""Writes everything the computers pipeline and policy read, laid out as it goes to S3.

    python -m examples.computers.prepare --out FOLDER
    aws s3 cp --recursive FOLDER s3://sagemaker-your-team/computers

- `train/`, `validation/`, `evaluation/`: the channels of the jobs, CSV with a header, the label first
- `tests/contract.jsonl`, `tests/holdout.csv`: what the staging endpoint is tested with
- `code/sourcedir.tar.gz`, `code/evaluation.zip`: the code of the training job and of the evaluation
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from examples.computers.data import FEATURES, FIRST_MONTH, LABEL, SPLIT_SEED, read_computers, select_months, split_rows
from examples.computers.suites import contract_cases
from examples.layout import write_cases, write_code, write_rows

LAST_TRAINING_MONTH = 12
COLUMNS = [LABEL, *FEATURES]
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Prepared:
    """How many rows each file got, and how many recorded requests there are."""

    train_rows: int
    validation_rows: int
    evaluation_rows: int
    contract_cases: int


def prepare(
    folder: Path, first_month: int = FIRST_MONTH, last_month: int = LAST_TRAINING_MONTH, seed: int = SPLIT_SEED
) -> Prepared:
    """Write data, tests and code of one training window (both months included) into `folder`.

    The rows that staging is asked are those of the evaluation: neither is trained on.
    """
    parts = split_rows(select_months(read_computers(), first_month, last_month), seed)
    write_rows(folder / "tests" / "holdout.csv", parts.holdout[COLUMNS])
    write_code(folder / "code", _HERE)
    return Prepared(
        train_rows=write_rows(folder / "train" / "train.csv", parts.train[COLUMNS]),
        validation_rows=write_rows(folder / "validation" / "validation.csv", parts.validation[COLUMNS]),
        evaluation_rows=write_rows(folder / "evaluation" / "evaluation.csv", parts.holdout[COLUMNS]),
        contract_cases=write_cases(folder / "tests" / "contract.jsonl", contract_cases()),
    )


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the target folder, the training window and the split's seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--first-month", type=int, default=FIRST_MONTH)
    parser.add_argument("--last-month", type=int, default=LAST_TRAINING_MONTH)
    parser.add_argument("--seed", type=int, default=SPLIT_SEED)
    return parser.parse_args(words)


if __name__ == "__main__":
    given = parse_arguments()
    print(prepare(given.out, given.first_month, given.last_month, given.seed))
