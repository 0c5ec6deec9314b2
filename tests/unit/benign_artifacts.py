"""Models as their libraries save them, trained here on a few rows, and files as they lie in a model's folder."""

from __future__ import annotations

import io
import json
import pickle
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier

from tests.unit.artifact_corpus import hdf5, joblib_array, keras_zip, npy, old_torch, onnx, packed, text, torch_zip

RANDOM = np.random.default_rng(7)
NUMBERS = RANDOM.random((120, 4))
LABELS = (NUMBERS[:, 0] + NUMBERS[:, 1] > 1).astype(int)
TABLE = pd.DataFrame(NUMBERS, columns=list("abcd")).assign(
    kind=pd.Categorical(["x", "y", "z"] * 40),
    when=pd.date_range("2026-01-01", periods=120),
    name=["one", None, "two"] * 40,
)


class _Columns:
    """A state that holds pandas objects, as transformers keep them."""

    @staticmethod
    def made() -> Any:
        scaler = StandardScaler().fit(NUMBERS)
        scaler.reference_ = TABLE
        scaler.means_ = TABLE[["a", "b"]].mean()
        scaler.moment_ = TABLE["when"].iloc[0]
        return scaler


@lru_cache
def models() -> dict[str, Any]:
    """Fitted models by name."""
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["kind"]), (StandardScaler(), ["a", "b"])
    )
    return {
        "forest": make_pipeline(StandardScaler(), RandomForestClassifier(15, random_state=1)).fit(NUMBERS, LABELS),
        "columns": make_pipeline(columns, LogisticRegression()).fit(TABLE, LABELS),
        "boosted": GradientBoostingRegressor(n_estimators=5, random_state=np.random.RandomState(3)).fit(NUMBERS, LABELS),
        "histograms": HistGradientBoostingClassifier(max_iter=5).fit(NUMBERS, LABELS),
        "neighbours": KNeighborsClassifier(algorithm="kd_tree").fit(NUMBERS, LABELS),
        "balls": KNeighborsClassifier(algorithm="ball_tree").fit(NUMBERS, LABELS),
        "machine": SVC().fit(NUMBERS, LABELS),
        "gradient": SGDClassifier(loss="log_loss").fit(NUMBERS, LABELS),
        "words": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["a good day", "a bad day"] * 9, [1, 0] * 9),
        "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, scoring="accuracy", cv=2).fit(NUMBERS, LABELS),
        "votes": VotingClassifier([("nb", GaussianNB()), ("lr", LogisticRegression())]).fit(NUMBERS, LABELS),
        "isotonic": IsotonicRegression().fit(NUMBERS[:, 0], NUMBERS[:, 1]),
        "network": MLPClassifier((5,), max_iter=30, early_stopping=True).fit(NUMBERS, LABELS),
        "logarithm": make_pipeline(FunctionTransformer(np.log1p), SimpleImputer(), LogisticRegression()).fit(NUMBERS, LABELS),
        "splines": make_pipeline(SplineTransformer(), LogisticRegression()).fit(NUMBERS, LABELS),
        "outliers": IsolationForest(n_estimators=5).fit(NUMBERS),
        "tables": _Columns.made(),
        "xgboost": XGBClassifier(n_estimators=3, max_depth=2).fit(NUMBERS, LABELS),
    }  # fmt: skip


def saved(model: Any, compress: Any = 0) -> bytes:
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=compress)
    return buffer.getvalue()


def numpy_file(*arrays: Any, several: bool = False) -> bytes:
    buffer = io.BytesIO()
    if several:
        np.savez_compressed(buffer, *arrays)
    else:
        np.save(buffer, arrays[0])
    return buffer.getvalue()


def state_dict() -> bytes:
    """`{"weight": tensor}` as torch pickles it, without torch."""
    storage = b"(" + b"X\x07\0\0\0storage" + b"ctorch\nFloatStorage\n" + b"X\x01\0\0\x000X\x03\0\0\0cpuK\x04tQ"
    tensor = (
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        + storage
        + b"K\0K\x02K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtR"
    )
    return b"\x80\x02ccollections\nOrderedDict\nq\0)Rq\x01X\x06\0\0\0weightq\x02" + tensor + b"q\x03s."


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 16


CODE = {
    "code/inference.py": b"import os\nimport joblib\n\ndef model_fn(folder):\n    return joblib.load(os.path.join(folder, 'm'))\n",
    "code/requirements.txt": b"pandas\n",
    "labels.txt": b"cat\ndog\nfish\n",
    "features.json": b'[{"name": "exp", "kind": "number"}]',
    "README": b"Income model\nI am text, and so are you.\n",
}


def dense_model() -> dict[str, Any]:
    layer = {
        "module": "keras.layers",
        "class_name": "Dense",
        "config": {"units": 2, "activation": "relu"},
        "registered_name": None,
    }
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"layers": [layer]},
        "registered_name": "Sequential",
    }


def boosters() -> dict[str, bytes]:
    booster = models()["xgboost"].get_booster()
    return {
        "model.json": bytes(booster.save_raw("json")),
        "model.ubj": bytes(booster.save_raw("ubj")),
        "xgboost-model": pickle.dumps(booster),
    }


def pickles() -> dict[str, bytes]:
    return {
        f"{name}-{protocol}.pkl": pickle.dumps(model, protocol)
        for name, model in models().items()
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    }


BENIGN: dict[str, Callable[[], bytes]] = {
    **{
        f"joblib, {way[0] if isinstance(way, tuple) else way}": (
            lambda way=way: packed({f"{name}.joblib": saved(model, way) for name, model in models().items()})
        )
        for way in (0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3))
    },
    "plain pickles of every protocol": lambda: packed(pickles()),
    "XGBoost as JSON, UBJSON and pickle": lambda: packed(boosters()),
    "npy": lambda: packed({"x.npy": numpy_file(NUMBERS), "y": numpy_file(np.array(["a", "bc"]))}),
    "npz": lambda: packed({"x.npz": numpy_file(NUMBERS, LABELS, several=True)}),
    "npy of objects": lambda: packed({"x.npy": numpy_file(np.array([1, "two", None], dtype=object))}),
    "arrays of dates, records and texts": lambda: packed(
        {
            "m": saved(
                {
                    "dates": np.array(["2026-01-01"], dtype="M8[D]"),
                    "records": np.zeros(3, dtype=[("a", "<i4"), ("b", "f8")]),
                    "mixed": np.zeros(2, dtype=[("a", "O"), ("b", "<f8"), ("c", "<f4", (3,))]),
                    "aligned": np.zeros(2, dtype=np.dtype([("a", "<i4"), ("b", "<f8")], align=True)),
                    "texts": np.array(["one", "zwei"]),
                    "none": np.zeros((0, 3)),
                    "scalar": np.array(5.0),
                    "objects": np.array([None, "x"], dtype=object),
                }
            )
        }
    ),
    "joblib before 1.2": lambda: packed(
        {
            "m": joblib_array(
                struct.pack("<2d", 1.5, -2.0), dtype=text("numpy") + text("dtype") + b"\x93" + text("f8") + b"\x89\x88\x87R",
                shape=b"K\x02\x85", aligned=b"N",
            )
        }
    ),
    "torch": lambda: packed({"model.pt": torch_zip(state_dict(), struct.pack("<4f", 1.1, 2.2, 3.3, 4.4))}),
    "torch before zip": lambda: packed({"model.pth": old_torch(state_dict())}),
    "safetensors": lambda: packed({"model.safetensors": safetensors()}),
    "Keras": lambda: packed({"model.keras": keras_zip(dense_model())}),
    "Keras in HDF5": lambda: packed({"model.h5": hdf5(json.dumps(dense_model()).encode())}),
    "ONNX with weights beside it": lambda: packed({"model.onnx": onnx(b"weights.bin"), "weights.bin": b"\x01" * 64}),
    "code and text": lambda: packed(CODE),
    "a LightGBM model as text": lambda: packed({"model.txt": b"tree\nversion=v4\nnum_class=1\n"}),
    "an uncommon array": lambda: packed({"x.npy": npy("<c16", (2,), b"\x01" * 32)}),
    "as GNU tar packs": lambda: packed({"./" + "long/" * 30 + "m.json": b"{}"}, format=0x1),
}  # fmt: skip
