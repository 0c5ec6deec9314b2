"""docs/local-sagemaker.md lists the operations that are there, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from localcloud.sagemaker.images import CATALOGUE
from localcloud.sagemaker.service import LocalSageMaker
from localcloud.sagemaker.validation import service_model
from tests.contract.sagemaker.account import Account

DOCUMENT = Path(__file__).parents[3] / "docs" / "local-sagemaker.md"
ROW = re.compile(r"^\| (\w+) \| (real|simplified|absent) \|", re.MULTILINE)
RUNTIME = set(service_model("sagemaker-runtime").operation_names)


def documented() -> dict[str, str]:
    return dict(ROW.findall(DOCUMENT.read_text(encoding="utf-8")))


def test_every_operation_that_is_there_is_documented_and_the_other_way_round(service: LocalSageMaker) -> None:
    there = {name for name, state in documented().items() if state != "absent"}

    assert there - RUNTIME == set(service.operation_names)
    assert there & RUNTIME == {"InvokeEndpoint"}


def test_operations_documented_as_absent_are_refused(account: Account) -> None:
    known = set(service_model().operation_names)
    for name, state in documented().items():
        assert name in known | RUNTIME
        if state == "absent":
            assert name not in account.service.operation_names


def test_a_simplified_operation_says_what_it_lacks() -> None:
    rows = DOCUMENT.read_text(encoding="utf-8").splitlines()

    assert [row for row in rows if "| simplified | |" in row] == []


def test_every_container_of_the_catalogue_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert all(f"| `{repository}` |" in text for repository in CATALOGUE)
