"""A model as SageMaker's MLflow leaves it: the folder of a logged model, and the package that its sync registers.

MLflow itself is not installed. Names and shapes are those of MLflow 3's scikit-learn flavour, of the evaluation groups and the
inference specification that the plug-in `sagemaker-mlflow` logs beside the model, and of the package that the sync makes of them.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from typing import Any

from tests.e2e.harness import SCIKIT_LEARN

MLMODEL = """\
artifact_path: s3://{bucket}/{prefix}
flavors:
  python_function:
    env: {{conda: conda.yaml, virtualenv: python_env.yaml}}
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.12.9
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: pickle
    sklearn_version: 1.4.2
mlflow_version: 3.4.0
model_id: {model_id}
run_id: 5b0f6f6a0b1e4c0e9d8b7a6c5d4e3f2a
signature:
  inputs: '[{{"type": "double", "name": "lotsize", "required": true}}]'
  outputs: '[{{"type": "tensor", "tensor-spec": {{"dtype": "float64", "shape": [-1]}}}}]'
utc_time_created: '2026-11-20 09:30:00.000000'
"""
CONDA = """\
channels: [conda-forge]
dependencies: [python=3.12.9, pip<=25.0, {pip: [mlflow==3.4.0, scikit-learn==1.4.2]}]
name: mlflow-env
"""
PYTHON_ENV = "python: 3.12.9\nbuild_dependencies: [pip==25.0, setuptools, wheel]\ndependencies: [-r requirements.txt]\n"
INFERENCE = """
import os
import pickle

def model_fn(model_dir):
    with open(os.path.join(model_dir, "model.pkl"), "rb") as file:
        return pickle.load(file)
"""
"""What a team logs into the folder, since the scikit-learn container cannot load a model without it."""

Metrics = dict[str, float]


def logged_model(model: Any, bucket: str, prefix: str, model_id: str) -> dict[str, bytes | str]:
    """The files of a logged model, by their paths."""
    return {
        "MLmodel": MLMODEL.format(bucket=bucket, prefix=prefix, model_id=model_id),
        "model.pkl": pickle.dumps(model),
        "conda.yaml": CONDA,
        "python_env.yaml": PYTHON_ENV,
        "requirements.txt": "mlflow==3.4.0\nscikit-learn==1.4.2\n",
        "input_example.json": json.dumps({"columns": ["lotsize"], "data": [[5850.0]]}),
        "serving_input_example.json": json.dumps({"dataframe_split": {"columns": ["lotsize"], "data": [[5850.0]]}}),
        "code/inference.py": INFERENCE,
    }


def evaluation_group(metrics: Metrics) -> dict[str, Any]:
    """The plug-in's evaluation group: every number is a text."""
    data = [{"name": name, "value": str(value), "type": "number"} for name, value in metrics.items()]
    return {"name": "houses-1f3a9c", "metric_groups": [{"name": "Metrics", "metric_data": data}]}


def specification(uri: str) -> dict[str, Any]:
    """The inference specification that is logged beside the model. It names no content types."""
    return {
        "Containers": [
            {
                "Image": SCIKIT_LEARN,
                "ModelDataSource": {
                    "S3DataSource": {"S3Uri": uri, "S3DataType": "S3Prefix", "CompressionType": "None"}
                },
                "Environment": {
                    "SAGEMAKER_PROGRAM": "inference.py",
                    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                },
            }
        ],
        "SupportedRealtimeInferenceInstanceTypes": ["ml.m5.xlarge"],
    }


def group_name(registered_model: str, tracking_server: str) -> str:
    """The group that a registered model is synced into."""
    return f"{registered_model}-{hashlib.sha256(tracking_server.encode()).hexdigest()[:6]}"


def synced_package(group: str, training: Metrics, evaluation: Metrics | None, inference: Any = None) -> dict[str, Any]:
    """The sync's CreateModelPackage request; without an inference specification the package is metadata alone."""
    card: dict[str, Any] = {
        "model_overview": {"model_name": group, "model_version": 1},
        "training_details": {
            "training_job_details": {
                "training_metrics": [{"name": name, "value": value} for name, value in training.items()],
                "hyper_parameters": [{"name": "fit_intercept", "value": "True"}],
            }
        },
    }
    if evaluation is not None:
        card["evaluation_details"] = [evaluation_group(evaluation)]
    return {
        "ModelPackageGroupName": group,
        "ModelApprovalStatus": "PendingManualApproval",
        "ModelCard": {"ModelCardStatus": "Draft", "ModelCardContent": json.dumps(card)},
        "MetadataProperties": {"GeneratedBy": f"mlflow registered model {group} version 1"},
        **({"InferenceSpecification": inference} if inference else {}),
    }
