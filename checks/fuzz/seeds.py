"""What the fuzzer starts from: one sensible input of every kind, which it then takes apart."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import yaml

from checks.fuzz.targets import BETWEEN, NAMES

ROOT = Path(__file__).parents[2]
QUALITY = {
    "version": 0.0,
    "dataset": {"item_count": 537},
    "binary_classification_metrics": {"accuracy": {"value": 0.76, "standard_deviation": "NaN"}},
    "regression_metrics": {"mae": {"value": 1.5}, "r2": {"value": 0.5}},
    "slices": {"sex": {"female": {"item_count": 60, "regression_metrics": {"r2": {"value": 0.4}}}}},
    "a": {"b": 1},
    "violations": [{"feature_name": "exp", "constraint_check_type": "baseline_drift_check", "description": "drift"}],
}
CARD = {
    "evaluation_details": [
        {"metric_groups": [{"metric_data": [{"name": "accuracy", "type": "number", "value": 0.8}]}]}
    ],
    "ModelMetrics": {"ModelQuality": {"Statistics": {"S3Uri": "s3://bucket/report.json"}}},
    "CustomerMetadataProperties": {"author": "lin", "ticket": "1"},
    "MetadataProperties": {"CommitId": "abc"},
}

CONTRACT = '{"name": "one", "body": "1,2", "expect": {"status": 200, "rows": 1, "numeric": true, "forbid": ["x"]}}\n'
ROWS = "label,a,b\n1,2,3\n0,4,5\n"
ANSWERS = (
    '{"answers": [["k", "1", 0.5], ["l", "0", "0"]], "milliseconds_median": 1.5, "requests": 1, "suite_sha256": "s"}'
)


def seeds() -> dict[str, list[bytes]]:
    """Inputs by the name of their target."""
    pages = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("policy.md", "gates.md")]
    whole, examples = (re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) for page in pages)
    reports = [QUALITY]
    for example in map(yaml.safe_load, examples):
        reports += list(example.get("report", {}).values())
    plain = [json.dumps(report).encode() for report in reports]
    base = "mode: observe\nproduction: {instance_type: ml.m5.large}\n"
    pickles = [pickle.dumps([1.5, "a", {"b": (None, True)}], protocol) for protocol in range(6)]
    return {
        "gates": [*plain, *(one + BETWEEN + plain[0] for one in plain)],
        "registry": [json.dumps(CARD).encode()],
        "policy": [
            *(text.encode() for text in whole),
            f"extends: b.yaml\n{whole[-1]}{BETWEEN.decode()}{base}".encode(),
        ],
        "artifact": [bytes([number]) + body for number in range(len(NAMES)) for body in (*pickles, b"PK\x03\x04")],
        "staging": [
            CONTRACT.encode() + BETWEEN + b'{"predictions": [{"score": 0.5}]}',
            ROWS.encode() + BETWEEN + b"[1, [0]]",
            ROWS.encode() + BETWEEN + b"1\n0\n",
            ANSWERS.encode(),
        ],
    }


def words() -> bytes:
    """What the fuzzer puts in beside bytes of its own, as libFuzzer reads it: keys of reports, and values that are no good."""
    keys = sorted(
        {one for target in seeds().values() for seed in target for one in re.findall(rb'"[a-zA-Z_]{1,40}"', seed)}
    )
    values = [
        b"null",
        b"NaN",
        b"1e999",
        b"-0",
        b"true",
        b"{}",
        b"[]",
        b'"NaN"',
        b"1" * 400,
        b"&a",
        b"*a",
        b"<<:",
        BETWEEN,
    ]
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in [*keys, *values])
    return "".join(f'"{word}"\n' for word in escaped).encode()
