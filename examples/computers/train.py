"""Trains the price of a computer: the entry point of a SageMaker training job in script mode.

It runs in SageMaker's scikit-learn container (Python 3.8, scikit-learn 1.2) as it does on a laptop. It reads the CSV
files of the channels `train` and, where given, `validation` (header, column `label`), and leaves in the model folder
what that container serves: `model.joblib`, `features.json` and `code/inference.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from pathlib import Path

import joblib
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

LABEL = "label"
DEFAULT_FEATURES = "speed,hd,ram,screen,cd,multi,premium"


def read_channel(folder: Path) -> pd.DataFrame:
    """Read every CSV file of a channel into one table.

    Raises:
        FileNotFoundError: the channel holds no CSV file.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise FileNotFoundError(f"the channel {folder.name} holds no CSV file")
    return pd.concat([pd.read_csv(file) for file in files], ignore_index=True)


def describe_features(rows: pd.DataFrame, names: list[str]) -> list[dict]:
    """Describe the columns a model takes, in order: `name`, `kind` (number or category), a category's `values`.

    Raises:
        ValueError: the rows lack one of the columns.
    """
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise ValueError(f"the training rows have no column {', '.join(missing)}")
    described: list[dict] = []
    for name in names:
        if is_numeric_dtype(rows[name]):
            described.append({"name": name, "kind": "number"})
        else:
            described.append({"name": name, "kind": "category", "values": sorted(rows[name].unique().tolist())})
    return described


def build_model(features: list[dict], estimator: str, trees: int, seed: int) -> Pipeline:
    """Build the untrained pipeline: one-hot for categories, standard scores for numbers, then the estimator."""
    categories = [feature["name"] for feature in features if feature["kind"] == "category"]
    numbers = [feature["name"] for feature in features if feature["kind"] == "number"]
    columns = make_column_transformer((OneHotEncoder(), categories), (StandardScaler(), numbers))
    if estimator == "boosting":
        return make_pipeline(columns, GradientBoostingRegressor(n_estimators=trees, random_state=seed))
    return make_pipeline(columns, LinearRegression())


def measure(model: Pipeline, rows: pd.DataFrame, names: list[str]) -> dict[str, float]:
    """Measure the errors on these rows: mean absolute and squared, and how much of the variance is explained."""
    predicted = model.predict(rows[names])
    return {
        "mae": float(mean_absolute_error(rows[LABEL], predicted)),
        "mse": float(mean_squared_error(rows[LABEL], predicted)),
        "r2": float(r2_score(rows[LABEL], predicted)),
    }


def save_model(model: Pipeline, features: list[dict], folder: Path) -> None:
    """Write what the serving container needs: the model, its feature list and the code that serves it."""
    code = folder / "code"
    code.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    (folder / "features.json").write_text(json.dumps(features, indent=2), encoding="utf-8")
    shutil.copyfile(Path(__file__).resolve().parent / "inference.py", code / "inference.py")


def train(arguments: argparse.Namespace) -> None:
    """Train, report and save one model."""
    names = [name.strip() for name in arguments.features.split(",") if name.strip()]
    rows = read_channel(arguments.train)
    features = describe_features(rows, names)
    model = build_model(features, arguments.estimator, arguments.trees, arguments.seed)
    model.fit(rows[names], rows[LABEL])

    channels = {"train": rows}
    if arguments.validation is not None:
        channels["validation"] = read_channel(arguments.validation)
    for channel, channel_rows in channels.items():
        for metric, value in measure(model, channel_rows, names).items():
            # The pipeline's MetricDefinitions read these lines from the job's log.
            print(f"{channel}:{metric}={value:.6f};", flush=True)
    save_model(model, features, arguments.model_dir)


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read hyperparameters from the command line and folders from the variables SageMaker sets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default=DEFAULT_FEATURES, help="comma-separated columns, in serving order")
    parser.add_argument("--estimator", choices=["boosting", "linear"], default="boosting")
    parser.add_argument("--trees", type=int, default=200, help="trees of the boosting")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train", type=Path, default=_folder_from("SM_CHANNEL_TRAIN"))
    parser.add_argument("--validation", type=Path, default=_folder_from("SM_CHANNEL_VALIDATION"))
    parser.add_argument("--model-dir", type=Path, default=_folder_from("SM_MODEL_DIR"))
    arguments = parser.parse_args(words)
    for needed in ("train", "model_dir"):
        if getattr(arguments, needed) is None:
            parser.error(f"--{needed.replace('_', '-')} is needed outside a SageMaker training job")
    return arguments


def _folder_from(variable: str) -> Path | None:
    return Path(os.environ[variable]) if variable in os.environ else None


if __name__ == "__main__":
    train(parse_arguments())
