"""Writes everything the wages pipeline and policy read, laid out as it goes to S3.

    python -m examples.wages.prepare --out FOLDER
    aws s3 cp --recursive FOLDER s3://sagemaker-your-team/wages

- `train/`, `validation/`, `evaluation/`: the channels of the jobs, CSV with a header, the label first
- `tests/contract.jsonl`, `tests/holdout.csv`: what the staging endpoint is tested with
- `code/sourcedir.tar.gz`, `code/evaluation.zip`: the code of the training job and of the evaluation
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from examples.layout import write_cases, write_code, write_rows
from examples.wages.data import (
    FEATURES,
    FIRST_YEAR,
    LABEL,
    PROTECTED,
    SPLIT_SEED,
    read_wages,
    select_rows,
    split_people,
)
from examples.wages.suites import contract_cases

LAST_TRAINING_YEAR = 1978
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Prepared:
    """How many rows each file got, and how many recorded requests there are."""

    train_rows: int
    validation_rows: int
    evaluation_rows: int
    holdout_rows: int
    contract_cases: int


def prepare(
    folder: Path, first_year: int = FIRST_YEAR, last_year: int = LAST_TRAINING_YEAR, seed: int = SPLIT_SEED
) -> Prepared:
    """Write data, tests and code of one training window (both years included) into `folder`."""
    wages = read_wages()
    people = split_people(wages, seed)
    train, validation, holdout = (
        select_rows(wages, part, first_year, last_year) for part in (people.train, people.validation, people.holdout)
    )
    prepared = Prepared(
        train_rows=_write_channel(folder / "train" / "train.csv", train),
        validation_rows=_write_channel(folder / "validation" / "validation.csv", validation),
        evaluation_rows=_write_channel(folder / "evaluation" / "evaluation.csv", holdout),
        holdout_rows=write_rows(folder / "tests" / "holdout.csv", holdout[[LABEL, *FEATURES]]),
        contract_cases=write_cases(folder / "tests" / "contract.jsonl", contract_cases()),
    )
    write_code(folder / "code", _HERE)
    return prepared


def _write_channel(file: Path, rows: pd.DataFrame) -> int:
    return write_rows(file, rows[[LABEL, *FEATURES, *PROTECTED]])


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the target folder, the training window and the split's seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--first-year", type=int, default=FIRST_YEAR)
    parser.add_argument("--last-year", type=int, default=LAST_TRAINING_YEAR)
    parser.add_argument("--seed", type=int, default=SPLIT_SEED)
    return parser.parse_args(words)


if __name__ == "__main__":
    given = parse_arguments()
    print(prepare(given.out, given.first_year, given.last_year, given.seed))
