"""Building and deploying to the laptop's AWS."""

import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from localcloud.deploy import DeployError, deploy
from localcloud.packaging import BuildError, function_archive, layer_archive
from localcloud.settings import PROJECT_FOLDER

WRONG_TEMPLATE = {
    "Transform": "AWS::Serverless-2016-10-31",
    "Resources": {
        "Lost": {
            "Type": "AWS::Serverless::StateMachine",
            "Properties": {"Definition": {"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "Nowhere"}}}},
        }
    },
}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def names(content: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return opened.namelist()


def test_a_function_keeps_its_place_below_its_parent_packages() -> None:
    content = function_archive(PROJECT_FOLDER, "functions/open_release", "functions.open_release")
    found = set(names(content))
    assert {"functions/__init__.py", "functions/open_release/handler.py"} <= found
    assert all(name.startswith(("functions/open_release/", "functions/__init__.py")) for name in found)


def test_an_archive_depends_on_content_alone(tmp_path: Path) -> None:
    write(tmp_path / "code" / "handler.py", "x = 1\n")
    first = function_archive(tmp_path, "code", None)
    time.sleep(0.01)
    os.utime(tmp_path / "code" / "handler.py")
    (tmp_path / "code" / "__pycache__").mkdir()
    (tmp_path / "code" / "__pycache__" / "handler.pyc").write_bytes(b"x")
    assert function_archive(tmp_path, "code", None) == first


def test_the_core_layer_holds_its_packages_alone() -> None:
    found = names(layer_archive(PROJECT_FOLDER, "layers/core"))
    assert {"python/lockkeeper/__init__.py", "python/jobs/drift_monitor/main.py"} <= set(found)
    assert {name.split("/")[1] for name in found} == {"lockkeeper", "jobs"}


def test_requirements_that_do_not_exist_are_a_build_error(tmp_path: Path) -> None:
    write(tmp_path / "layer" / "requirements.txt", "./no-such-package\n")
    with pytest.raises(BuildError, match="no-such-package"):
        layer_archive(tmp_path, "layer", tmp_path / "cache")


def test_a_failed_stack_names_the_resource_and_the_reason(cloud: Any, stack: str, tmp_path: Path) -> None:
    write(tmp_path / "template.yaml", json.dumps(WRONG_TEMPLATE))
    with pytest.raises(DeployError) as failed:
        deploy(cloud.running.endpoint_url, stack, template=tmp_path / "template.yaml")
    assert any(reason.startswith("Lost (AWS::StepFunctions::StateMachine)") for reason in failed.value.reasons)
    assert "MISSING_TRANSITION_TARGET" in str(failed.value)


def test_a_template_without_a_transform_it_needs_is_refused_in_words(cloud: Any, tmp_path: Path) -> None:
    write(tmp_path / "template.yaml", json.dumps({"Resources": {"A": {"Type": "AWS::Nothing::Here"}}}))
    with pytest.raises(DeployError, match="AWS::Nothing::Here"):
        deploy(cloud.running.endpoint_url, "nothing", template=tmp_path / "template.yaml")


def test_deploying_again_changes_nothing(cloud: Any) -> None:
    template = Path(__file__).parent / "probe" / "template.yaml"
    assert deploy(cloud.running.endpoint_url, "probe", template=template) == cloud.outputs


def test_changed_code_is_served_after_an_update(cloud: Any, stack: str, tmp_path: Path) -> None:
    template = {
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"PythonRuntime": {"Type": "String"}},
        "Resources": {
            "Answer": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "code", "Handler": "handler.handler", "Runtime": {"Ref": "PythonRuntime"}},
            }
        },
        "Outputs": {"Name": {"Value": {"Ref": "Answer"}}},
    }
    write(tmp_path / "template.yaml", json.dumps(template))
    for answer in (1, 2):
        write(tmp_path / "code" / "handler.py", f"def handler(event, context):\n    return {answer}\n")
        outputs = deploy(cloud.running.endpoint_url, stack, template=tmp_path / "template.yaml")
        assert cloud.invoke({}, FunctionName=outputs["Name"])["Payload"] == answer
