"""docs/local-sagemaker.md lists the operations and parameters that are there, and nothing else; what is not there says so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape

from localcloud.sagemaker import scope
from localcloud.sagemaker.errors import ApiError
from localcloud.sagemaker.images import CATALOGUE
from localcloud.sagemaker.invocations import NOT_THERE
from localcloud.sagemaker.service import LocalSageMaker
from localcloud.sagemaker.validation import service_model
from tests.conftest import Figure
from tests.contract.sagemaker.account import Account

PROJECT = Path(__file__).parents[3]
DOCUMENT = PROJECT / "docs" / "local-sagemaker.md"
ROW = re.compile(r"^\| (\w+) \| (real|simplified|absent) \|", re.MULTILINE)
PARAMETERS = re.compile(r"^\| (\w+) \| ([^|]*)\| ([^|]*)\|$", re.MULTILINE)
RUNTIME = set(service_model("sagemaker-runtime").operation_names)
TOKENS = {"ClientRequestToken", "ClientToken"}


def documented() -> dict[str, str]:
    return dict(ROW.findall(DOCUMENT.read_text(encoding="utf-8")))


def test_every_operation_that_is_there_is_documented_and_the_other_way_round(service: LocalSageMaker) -> None:
    there = {name for name, state in documented().items() if state != "absent"}

    assert there - RUNTIME == set(service.operation_names)
    assert there & RUNTIME == {"InvokeEndpoint", "InvokeEndpointAsync"}


def test_operations_documented_as_absent_are_sagemakers_and_not_there(account: Account) -> None:
    known = set(service_model().operation_names)
    for name, state in documented().items():
        assert name in known | RUNTIME
        if state == "absent":
            assert name not in account.service.operation_names


def smallest(shape: Shape | None, depth: int = 0) -> Any:
    """A value of a shape with its required members alone; patterns and bounds are not looked at."""
    if isinstance(shape, StructureShape):
        return {name: smallest(shape.members[name], depth + 1) for name in shape.required_members} if depth < 8 else {}
    if isinstance(shape, ListShape):
        return [smallest(shape.member, depth + 1)] if depth < 8 else []
    if isinstance(shape, MapShape):
        return {}
    if shape is None:
        return {}
    enum = shape.metadata.get("enum")
    values = {"integer": 1, "long": 1, "float": 1.0, "double": 1.0, "boolean": True, "timestamp": 1.0}
    return enum[0] if enum else values.get(shape.type_name, "a")


def test_no_operation_of_sagemaker_succeeds_in_silence(account: Account, figure: Figure) -> None:
    """Every operation that is not in the document is refused by name, whether its request is well-formed or not."""
    model, there, silent = service_model(), set(account.service.operation_names), []
    absent = [name for name in model.operation_names if name not in there]
    for name in absent:
        for parameters in ({}, smallest(model.operation_model(name).input_shape)):
            with pytest.raises(ApiError) as raised:
                account.call(name, **parameters)
            if raised.value.code != "UnsupportedOperationException" or name not in raised.value.message:
                silent.append(name)
    figure(
        "operations of the local SageMaker",
        f"{len(there)} there, {len(absent)} refused by name, {len(silent)} otherwise",
        "0 otherwise",
    )
    assert silent == []
    assert len(absent) > 300


def table_of_parameters() -> dict[str, tuple[set[str], set[str]]]:
    section = DOCUMENT.read_text(encoding="utf-8").split("### Parameters")[1]
    return {
        operation: (set(re.findall(r"`(\w+)`", kept)), set(re.findall(r"`(\w+)`", refused)))
        for operation, kept, refused in PARAMETERS.findall(section)
        if operation != "operation"
    }


def test_the_table_of_parameters_is_what_the_code_does() -> None:
    operations = set(scope.KEPT) | set(scope.REFUSED)
    assert table_of_parameters() == {
        operation: (set(scope.KEPT.get(operation, ())), set(scope.REFUSED.get(operation, ())))
        for operation in operations
    }


def members(service: LocalSageMaker) -> Iterator[tuple[str, str]]:
    for operation in service.operation_names:
        shape = service_model().operation_model(operation).input_shape
        yield from ((operation, member) for member in (shape.members if shape else ()))


def test_every_parameter_is_acted_on_kept_or_refused(service: LocalSageMaker) -> None:
    """A new release of botocore brings new parameters: each wants a decision."""
    code = "\n".join(
        path.read_text() for path in (PROJECT / "localcloud" / "sagemaker").glob("*.py") if path.name != "scope.py"
    )
    filters = {f"{name}{end}" for name in ("CreationTime", "LastModifiedTime") for end in ("After", "Before")}
    undecided = [
        (operation, member)
        for operation, member in members(service)
        if member not in scope.KEPT.get(operation, ())
        and member not in scope.REFUSED.get(operation, ())
        and member not in filters | TOKENS
        and f'"{member}"' not in code
    ]
    runtime = service_model("sagemaker-runtime")
    known = set(members(service)) | {
        (name, member)
        for name in ("InvokeEndpoint", "InvokeEndpointAsync")
        for member in runtime.operation_model(name).input_shape.members
    }
    decided = {
        (operation, member)
        for table in (scope.KEPT, scope.REFUSED)
        for operation in table
        for member in table[operation]
    }
    assert undecided == []
    assert decided - known == set()


@pytest.mark.parametrize("operation", sorted(scope.REFUSED))
def test_a_parameter_without_an_effect_is_refused(operation: str) -> None:
    for member in scope.REFUSED[operation]:
        with pytest.raises(ApiError, match=member) as raised:
            scope.check(operation, {member: "something"})
        assert raised.value.code == "UnsupportedOperationException"


def test_a_header_that_chooses_what_is_not_there_is_refused(account: Account) -> None:
    """Every header of InvokeEndpoint goes to the model, chooses something, or is refused."""
    shape = service_model("sagemaker-runtime").operation_model("InvokeEndpoint").input_shape
    headers = {
        name: one.serialization["name"].lower()
        for name, one in shape.members.items()
        if one.serialization.get("location") == "header"
    }
    assert {name for name, header in headers.items() if header in NOT_THERE} == scope.REFUSED["InvokeEndpoint"]
    assert {NOT_THERE[header]: header for header in NOT_THERE} == {
        name: headers[name] for name in scope.REFUSED["InvokeEndpoint"]
    }
    for header in NOT_THERE:
        with pytest.raises(ApiError, match=NOT_THERE[header]):
            account.service.invoke(account.number, account.region, "endpoint", {header: "x"}, b"1")


def test_the_service_asks_for_the_scope(account: Account) -> None:
    refused = account.refusal("ListTrainingJobs", WarmPoolStatusEquals="Available")
    assert refused.startswith("UnsupportedOperationException")


def test_a_simplified_operation_says_what_it_lacks() -> None:
    rows = DOCUMENT.read_text(encoding="utf-8").splitlines()

    assert [row for row in rows if "| simplified | |" in row] == []


def test_every_container_of_the_catalogue_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")

    assert all(f"| `{repository}` |" in text for repository in CATALOGUE)


def test_the_smallest_requests_are_json(account: Account) -> None:
    """Or the loop over all operations would prove less than it seems to."""
    model = service_model()
    made = [smallest(model.operation_model(name).input_shape) for name in model.operation_names]
    assert json.loads(json.dumps(made))
    assert sum(bool(one) for one in made) > 250
