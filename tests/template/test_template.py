"""The template against the code, and against mistakes that linters do not see."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from lockkeeper.domain.online.rows import LONGEST_ANSWER
from lockkeeper.use_cases import ask_what_serves, probe_staging

from tests.template.project import (
    CORE,
    FUNCTIONS,
    PROJECT,
    function_folders,
    functions,
    pascal_case,
    published_detail_types,
    resources,
    sources,
    states,
    template,
    texts_in,
)

REGION = re.compile(r"\b(us|eu|ap|sa|ca|me|af|il|cn|us-gov)-(north|south|east|west|central)(east|west)?-\d\b")
LAMBDA_SETS = {"AWS_LAMBDA_FUNCTION_NAME", "AWS_REGION", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"}
POWERTOOLS_READS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE"}
DEAD_LETTERS = {"Fn::GetAtt": ["DeadLetters", "Arn"]}


@pytest.mark.parametrize("folder", sorted(function_folders()))
def test_a_function_is_built_from_its_folder(folder: str) -> None:
    name = pascal_case(folder)
    properties = functions()[name]
    build = template()["Resources"][name]["Metadata"]["BuildProperties"]
    assert properties["CodeUri"] == f"functions/{folder}"
    assert properties["Handler"] == f"functions.{folder}.handler.handler"
    assert build == {"ParentPackageMode": "explicit", "ParentPackages": f"functions.{folder}"}
    defined = {
        node.name
        for node in ast.parse((FUNCTIONS / folder / "handler.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert "handler" in defined


def test_every_substitution_is_used_and_names_its_function() -> None:
    substitutions = resources("AWS::Serverless::StateMachine")["Release"]["DefinitionSubstitutions"]
    used = {name for text in texts_in(states()) for name in re.findall(r"\$\{(\w+)\}", text)}
    assert used == set(substitutions)
    assert substitutions.pop("Partition") == {"Ref": "AWS::Partition"}
    assert substitutions == {name: {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]} for name in substitutions}


def test_the_state_machine_may_call_its_functions_and_no_others() -> None:
    (policy,) = resources("AWS::Serverless::StateMachine")["Release"]["Policies"]
    (statement,) = policy["Statement"]
    called = {re.sub(r"\W|Arn", "", state["Arguments"]["FunctionName"]) for state in states().values()}
    assert statement["Action"] == "lambda:InvokeFunction"
    assert {resource["Fn::GetAtt"][0] for resource in statement["Resource"]} == called


@pytest.mark.parametrize("file", ["template.yaml", "statemachines/release.asl.yaml"])
def test_no_arn_has_a_literal_partition_or_region(file: str) -> None:
    text = (PROJECT / file).read_text()
    assert re.findall(r"arn:aws[\w-]*:", text) == []
    assert REGION.search(text) is None
    assert re.findall(r"\b\d{12}\b", text) == []
    assert "amazonaws.com/" not in text.replace("${AWS::URLSuffix}", "")


def test_every_rules_target_has_a_dead_letter_queue() -> None:
    targets = [target for rule in resources("AWS::Events::Rule").values() for target in rule["Targets"]]
    assert targets
    for target in targets:
        assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}, target["Id"]


def test_what_events_call_has_a_dead_letter_queue_twice() -> None:
    """Once for what EventBridge cannot deliver, once for what the function cannot digest."""
    listening = 0
    for name, properties in functions().items():
        rules = [one for one in (properties.get("Events") or {}).values() if one["Type"] == "EventBridgeRule"]
        for rule in rules:
            listening += 1
            assert rule["Properties"]["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}, name
            assert rule["Properties"]["EventBusName"] == {"Ref": "Bus"}, name
            assert properties["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": DEAD_LETTERS}, name
    assert listening >= 4


def test_a_schedules_target_has_a_dead_letter_queue_that_its_role_may_write_to() -> None:
    schedules = resources("AWS::Scheduler::Schedule")
    assert schedules
    for name, schedule in schedules.items():
        target = schedule["Target"]
        called = target["Arn"]["Fn::GetAtt"][0]
        assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}, name
        assert functions()[called]["DeadLetterQueue"] == {"Type": "SQS", "TargetArn": DEAD_LETTERS}, name
        (policy,) = resources("AWS::IAM::Role")[target["RoleArn"]["Fn::GetAtt"][0]]["Policies"]
        granted = {(one["Action"], one["Resource"]["Fn::GetAtt"][0]) for one in policy["PolicyDocument"]["Statement"]}
        assert granted == {("lambda:InvokeFunction", called), ("sqs:SendMessage", "DeadLetters")}, name


def test_the_dead_letter_queue_has_an_alarm_that_tells_everybody() -> None:
    alarm = resources("AWS::CloudWatch::Alarm")["DeadLettersAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "ApproximateNumberOfMessagesVisible")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["DeadLetters", "QueueName"]}}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    assert alarm["AlarmActions"] == [{"Ref": "BroadcastTopic"}]
    statements = resources("AWS::KMS::Key")["Key"]["KeyPolicy"]["Statement"]
    assert [one for one in statements if one.get("Principal") == {"Service": "cloudwatch.amazonaws.com"}]


def test_executions_of_other_machines_are_nobodys_business() -> None:
    own = [{"Ref": "Release"}]
    assert resources("AWS::Events::Rule")["ForwardExecutionsRule"]["EventPattern"]["detail"]["stateMachineArn"] == own
    pattern = functions()["ReapRelease"]["Events"]["ExecutionDied"]["Properties"]["Pattern"]
    assert pattern["detail"]["stateMachineArn"] == own


def test_rules_on_services_events_name_the_accounts_that_count() -> None:
    for name, properties in functions().items():
        for event in (properties.get("Events") or {}).values():
            pattern = event["Properties"].get("Pattern") or {}
            if any(source.startswith("aws.") for source in pattern.get("source", [])):
                assert "account" in pattern, name


def test_what_is_listened_to_is_forwarded() -> None:
    rules = resources("AWS::Events::Rule").values()
    forwarded = {kind for rule in rules for kind in rule["EventPattern"]["detail-type"]}
    patterns = [
        event["Properties"]["Pattern"]
        for properties in functions().values()
        for event in (properties.get("Events") or {}).values()
        if event["Type"] == "EventBridgeRule"
    ]
    services = [pattern for pattern in patterns if pattern["source"] != ["lockkeeper"]]
    assert {kind for pattern in services for kind in pattern["detail-type"]} == forwarded


NOTIFY_RULES = ("ReleaseChanged", "QuestionChanged")


def test_only_published_events_are_waited_for() -> None:
    events = functions()["Notify"]["Events"]
    releases, questions = (set(events[name]["Properties"]["Pattern"]["detail-type"]) for name in NOTIFY_RULES)
    assert (releases | questions) - published_detail_types() == set()
    assert {kind for kind in published_detail_types() if kind.startswith("Release ")} == releases
    assert {kind for kind in published_detail_types() if kind.startswith("Approval ")} == questions


def variables_of(properties: dict[str, Any]) -> dict[str, Any]:
    variables: dict[str, Any] = (properties.get("Environment") or {}).get("Variables") or {}
    return variables


def variables_in_code() -> set[str]:
    """Names that settings and wiring read; `f"{name.upper()}_ROLE_ARN"` stands for every environment."""
    environments = {
        "f'{name.upper()}_ROLE_ARN'": {
            f"{name}_ROLE_ARN" for name in ("REGISTRY", "STAGING", "PRODUCTION", "PRODUCTION_LOOK")
        },
        "f'{name.upper()}_EXECUTION_ROLE_ARN'": {"STAGING_EXECUTION_ROLE_ARN", "PRODUCTION_EXECUTION_ROLE_ARN"},
    }
    found: set[str] = set()
    for path in (CORE / "settings.py", CORE / "bootstrap.py", CORE / "entry.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                continue
            if node.func.attr not in {"text", "optional", "get"}:
                continue
            if isinstance(node.args[0], ast.Constant):
                found.add(str(node.args[0].value))
            elif isinstance(node.args[0], ast.JoinedStr):
                found |= environments[ast.unparse(node.args[0])]
    return {name for name in found if name.isupper()}


def test_every_variable_that_is_read_is_set_and_the_other_way_round() -> None:
    everywhere = set(template()["Globals"]["Function"]["Environment"]["Variables"])
    somewhere = {name for properties in functions().values() for name in variables_of(properties)}
    assert variables_in_code() - LAMBDA_SETS == (everywhere | somewhere) - POWERTOOLS_READS


def test_what_a_function_waits_for_fits_into_its_time() -> None:
    # Whatever was sent last, and the health request after it.
    assert functions()["TestStaging"]["Timeout"] > probe_staging.TESTING_SECONDS + 2 * LONGEST_ANSWER
    asked = ask_what_serves.STUMBLE_SECONDS + ask_what_serves.PAUSE + ask_what_serves.ANSWER_SECONDS
    shortest = template()["Globals"]["Function"]["Timeout"]
    assert asked < min(
        functions()[name].get("Timeout", shortest) for name in ("RollBack", "ResumeRelease", "KeepHouse")
    )


def test_the_environment_is_read_in_settings_alone() -> None:
    readers = [
        str(path.relative_to(PROJECT))
        for folder in (CORE, FUNCTIONS)
        for path in sources(folder)
        if re.search(r"\bos\.(environ|getenv)", path.read_text())
    ]
    assert readers == ["layers/core/lockkeeper/settings.py"]


def test_a_function_that_sets_deadlines_has_all_that_a_deadline_needs() -> None:
    needed = {"SCHEDULE_GROUP", "SCHEDULE_TARGET_ARN", "SCHEDULE_ROLE_ARN", "SCHEDULE_DEAD_LETTER_ARN"}
    for name, properties in functions().items():
        given = {variable for variable in variables_of(properties) if variable.startswith("SCHEDULE_")}
        assert given in (set(), needed), name


@pytest.mark.parametrize("name", ["Table", "Bucket", "Key", "BucketPolicy"])
def test_data_outlives_the_stack(name: str) -> None:
    resource = template()["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_the_access_log_keeps_no_links() -> None:
    log_format = resources("AWS::ApiGatewayV2::Stage")["WebStage"]["AccessLogSettings"]["Format"]
    assert "$context.routeKey" in log_format
    assert "path" not in log_format.lower().replace("$context.routekey", "")


def test_no_role_may_do_everything() -> None:
    for statement in statements_in(template()["Resources"]):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        broad = [action for action in actions if action == "*" or action.endswith(":*")]
        # The key's administrators and the bucket's refusal of plain HTTP are about whole services.
        assert broad == [] or statement.get("Sid") in {"TheAccountAdministersTheKey", "EncryptedTransportOnly"}, (
            statement
        )


def statements_in(document: Any) -> list[dict[str, Any]]:
    """Every policy statement in a document, wherever it is."""
    if isinstance(document, dict):
        own = [document] if {"Effect", "Action"} <= set(document) else []
        return own + [found for part in document.values() for found in statements_in(part)]
    if isinstance(document, list):
        return [found for part in document for found in statements_in(part)]
    return []
