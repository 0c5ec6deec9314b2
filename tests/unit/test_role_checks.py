"""The checks of roles find what is denied, unmapped or unused, and which mutants nobody notices."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from checks.roles import recordings as kept
from checks.roles.actions import misfits, needed_for, wrongly_mapped
from checks.roles.grants import denials, roles_in, survivors, unused_grants
from checks.roles.recordings import DeployedRole, Recording
from checks.roles.reference import fits, may_name_everything
from checks.roles.report import check, mutate
from checks.roles.templates import never_deployed

ARN = "arn:aws:iam::111122223333:role/stack-Keeper-1A2B"
SESSION = "arn:aws:sts::111122223333:assumed-role/stack-Keeper-1A2B/s"
TABLE = "arn:aws:dynamodb:us-east-1:111122223333:table/stack-Table-3C4D"
QUEUE = "arn:aws:sqs:us-east-1:111122223333:letters"


def role(*statements: dict[str, Any], arn: str = ARN) -> DeployedRole:
    documents = {"Does": {"Statement": [{"Effect": "Allow", **statement} for statement in statements]}}
    return DeployedRole("A stack", "KeeperRole", arn, documents, {}, {"stack-Table-3C4D": "Table"})


def asked(action: str, resource: str, decision: str = "Allow", **more: Any) -> dict[str, Any]:
    question = {"principal": SESSION, "principal_type": "AssumedRole", "account": "111122223333", "region": "us-east-1"}
    known = {"request": "r1", "context": {}, "principal_keys": {}, "identity": decision, "decision": decision}
    return {**question, **known, "action": action, "resource": resource, **more}


def call(service: str, operation: str, status: int = 200, **parameters: Any) -> dict[str, Any]:
    told = {"service": service, "operation": operation, "status": status, "parameters": parameters}
    return {**told, "caller": SESSION, "request": "r1"}


def recording(deployed: DeployedRole, *decisions: dict[str, Any], calls: tuple[dict[str, Any], ...] = ()) -> Recording:
    return Recording((deployed,), calls, decisions)


READS = {"Action": ["dynamodb:GetItem", "dynamodb:Query"], "Resource": TABLE}
SENDS = {"Action": "sqs:SendMessage", "Resource": [QUEUE, TABLE]}


def test_a_grant_is_unused_until_something_needs_it() -> None:
    roles = roles_in([recording(role(READS), asked("dynamodb:GetItem", TABLE))])
    unused, count = unused_grants(roles)
    assert [(one.role, one.action, one.resource) for one in unused] == [
        ("KeeperRole", "dynamodb:Query", "arn:aws:dynamodb:us-east-1:111122223333:table/${Table}")
    ]
    assert count == 2


def test_each_resource_of_a_statement_has_to_be_needed() -> None:
    roles = roles_in([recording(role(SENDS), asked("sqs:SendMessage", QUEUE))])
    assert [one.position for one in unused_grants(roles)[0]] == [1]


def test_what_was_denied_uses_no_grant() -> None:
    roles = roles_in([recording(role(SENDS), asked("sqs:SendMessage", QUEUE, "Deny"))])
    assert len(unused_grants(roles)[0]) == 2


def test_a_condition_that_does_not_hold_makes_a_grant_useless() -> None:
    bound = {**READS, "Condition": {"StringEquals": {"dynamodb:Select": "COUNT"}}}
    never = asked("dynamodb:GetItem", TABLE, context={"dynamodb:select": "ALL_ATTRIBUTES"})
    assert len(unused_grants(roles_in([recording(role(bound), never)]))[0]) == 2


def test_deployments_of_one_template_are_looked_at_together() -> None:
    elsewhere = role(READS, arn=ARN.replace("111122223333", "444455556666"))
    query = asked("dynamodb:Query", TABLE, principal=SESSION.replace("111122223333", "444455556666"))
    both = [recording(role(READS), asked("dynamodb:GetItem", TABLE)), recording(elsewhere, query)]
    assert unused_grants(roles_in(both))[0] == []
    assert survivors(roles_in(both)) == ([], 3)


def test_mutants_drop_a_statement_an_action_or_a_resource() -> None:
    decisions = (asked("dynamodb:GetItem", TABLE), asked("sqs:SendMessage", QUEUE))
    alive, count = survivors(roles_in([recording(role(READS, SENDS), *decisions)]))
    # Two statements, two actions, two resources; nobody asked for Query, nor for the second resource.
    assert count == 6
    assert {(one.kind, one.position) for one in alive} == {("action", 1), ("resource", 1)}


def test_a_mutant_that_another_statement_makes_up_for_survives() -> None:
    twice = role({"Action": "sqs:SendMessage", "Resource": QUEUE}, {"Action": "sqs:SendMessage", "Resource": QUEUE})
    alive, _ = survivors(roles_in([recording(twice, asked("sqs:SendMessage", QUEUE))]))
    assert [one.statement for one in alive] == ["SendMessage", "SendMessage #2"]


def test_denials_are_found_as_recorded_and_as_the_policies_are_now() -> None:
    decisions = (asked("sqs:SendMessage", QUEUE, "ImplicitDeny"), asked("dynamodb:Scan", TABLE))
    assert [one[1] for one in denials(roles_in([recording(role(READS), *decisions)]))] == [
        "dynamodb:Scan",
        "sqs:SendMessage",
    ]


def test_a_role_that_denies_is_more_than_the_checks_know() -> None:
    with pytest.raises(ValueError, match="denies"):
        unused_grants(roles_in([recording(role({**READS, "Effect": "Deny"}))]))


@pytest.mark.parametrize(
    ("made", "needed"),
    [
        (call("s3", "GetObject"), {"s3:GetObject"}),
        (call("s3", "GetObject", VersionId="v"), {"s3:GetObjectVersion"}),
        (call("s3", "HeadObject"), {"s3:GetObject"}),
        (call("s3", "UploadPart"), {"s3:PutObject"}),
        (call("s3", "AbortMultipartUpload"), {"s3:AbortMultipartUpload"}),
        (call("s3", "CopyObject", CopySource="b/k"), {"s3:PutObject", "s3:GetObject"}),
        (call("s3", "CopyObject", CopySource="b/k?versionId=v"), {"s3:PutObject", "s3:GetObjectVersion"}),
        (call("dynamodb", "TransactWriteItems", TransactItems=["Put", "Update"]), {"dynamodb:PutItem", "dynamodb:UpdateItem"}),
        (call("sagemaker", "CreateEndpoint", Tags=True), {"sagemaker:CreateEndpoint", "sagemaker:AddTags"}),
        (call("sagemaker", "CreateModel", ExecutionRoleArn="r"), {"sagemaker:CreateModel", "iam:PassRole"}),
        (call("sagemaker-runtime", "InvokeEndpoint"), {"sagemaker:InvokeEndpoint"}),
        (call("scheduler", "UpdateSchedule", RoleArn="r"), {"scheduler:UpdateSchedule", "iam:PassRole"}),
        (call("s3", "NoSuchOperation"), set()),
        (call("s3", "ListObjects"), {"s3:ListBucket"}),
    ],
)  # fmt: skip
def test_what_aws_asks_for_a_call(made: dict[str, Any], needed: set[str]) -> None:
    assert needed_for(made) == needed


def test_a_call_that_nobody_decided_on_is_unmapped() -> None:
    found = wrongly_mapped([recording(role(READS), calls=(call("dynamodb", "GetItem"),))])
    assert found == [("KeeperRole", "dynamodb:GetItem", "let through without being asked")]


def test_a_call_that_was_asked_for_another_action_is_noticed() -> None:
    calls = (call("s3", "GetObject", VersionId="v"),)
    ((_, _, wrong),) = wrongly_mapped([recording(role(READS), asked("s3:GetObject", "arn:aws:s3:::b/k"), calls=calls)])
    assert wrong == "asked: s3:GetObject; AWS asks: s3:GetObjectVersion"


def test_an_operation_that_no_rule_knows_is_unmapped() -> None:
    found = wrongly_mapped([recording(role(READS), asked("s3:X", "*"), calls=(call("s3", ""),))])
    assert "no rule says" in found[0][2]


def test_a_refused_call_and_a_call_of_others_are_no_concern() -> None:
    refused, strangers = (
        call("s3", "GetObject", status=403),
        {**call("s3", "GetObject"), "caller": "arn:aws:iam::1:root"},
    )
    assert wrongly_mapped([recording(role(READS), calls=(refused, strangers))]) == []


def test_a_missing_object_may_ask_for_the_bucket_too() -> None:
    decisions = (asked("s3:GetObject", "arn:aws:s3:::b/k"), asked("s3:ListBucket", "arn:aws:s3:::b"))
    missing = call("s3", "GetObject", status=404)
    assert wrongly_mapped([recording(role(READS), *decisions, calls=(missing,))]) == []


def test_an_action_about_the_wrong_kind_of_resource_is_noticed() -> None:
    wrong = asked("s3:ListBucket", "arn:aws:s3:::bucket/key")
    assert misfits([recording(role(READS), wrong)]) == [("s3:ListBucket", "arn:aws:s3:::bucket/key")]
    assert misfits([recording(role(READS), asked("s3:HeadObject", "*"))]) == [("s3:HeadObject", "*")]


def test_resources_are_held_against_awss_formats() -> None:
    assert fits("dynamodb:Query", f"{TABLE}/index/unfinished")
    assert not fits("dynamodb:GetItem", f"{TABLE}/index/unfinished")
    parameter = "arn:aws:ssm:eu-central-1:111122223333:parameter"
    assert fits("ssm:PutParameter", f"{parameter}/lockkeeper/wages/champion")
    assert not fits("ssm:PutParameter", f"{parameter}s/lockkeeper")
    assert fits("states:SendTaskSuccess", "*")
    assert may_name_everything("cloudwatch:DescribeAlarms")
    assert not may_name_everything("dynamodb:GetItem")


def test_what_no_recording_has_deployed_is_noticed() -> None:
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": QUEUE}
    sometimes = {"Fn::If": ["Sometimes", {**statement, "Sid": "Maybe"}, {"Ref": "AWS::NoValue"}]}
    policy = {"PolicyName": "Does", "PolicyDocument": {"Statement": [statement, sometimes]}}
    resource = {"Type": "AWS::IAM::Role", "Properties": {"Policies": [policy]}}
    template = {"Description": "A stack", "Resources": {"KeeperRole": resource}}
    roles = roles_in([recording(role({"Action": "sqs:SendMessage", "Resource": QUEUE}))])
    assert never_deployed(roles, [template]) == [("KeeperRole", "Maybe")]


def test_the_report_says_no_where_anything_is_left() -> None:
    console = Console(file=io.StringIO(), width=200)
    content = recording(role({"Action": "sqs:SendMessage", "Resource": QUEUE}), asked("sqs:SendMessage", QUEUE))
    assert check([content], console, [])
    assert mutate([content], console)
    idle = recording(role(READS), asked("dynamodb:GetItem", TABLE))
    assert not check([idle], console, [])
    assert not mutate([idle], console)
    assert not mutate([], console)
    said = console.file.getvalue()
    assert "mutants killed: 1/1 (100.0%)" in said
    assert "unused of 2 grants: 1" in said


def test_a_recording_of_other_sources_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCKKEEPER_RECORDINGS", str(tmp_path))
    for name, sources in (("fresh", kept.sources_digest()), ("stale", "of another day")):
        (tmp_path / name).mkdir()
        for file, text in (
            ("roles.json", "[]"),
            ("tests.json", "[]"),
            ("calls.jsonl", ""),
            ("decisions.jsonl", ""),
            ("sources.txt", sources),
        ):
            (tmp_path / name / file).write_text(text)
    assert kept.load() == [Recording((), (), ())]


def test_tests_that_were_not_recorded_are_known(tmp_path: Path) -> None:
    (tmp_path / "test_paths.py").write_text("def test_one(): ...\ndef test_another(): ...\ndef helper(): ...\n")
    partly = Recording((), (), (), ("test_paths.py::test_one",))
    assert kept.not_recorded([partly], tmp_path) == ["test_paths.py::test_another"]
    assert kept.not_recorded([partly, Recording((), (), (), ("test_paths.py::test_another",))], tmp_path) == []


def test_every_source_counts(tmp_path: Path) -> None:
    before = kept.sources_digest(tmp_path)
    (tmp_path / "template.yaml").write_text("Resources: {}")
    between = kept.sources_digest(tmp_path)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "handler.py").write_text("")
    assert len({before, between, kept.sources_digest(tmp_path)}) == 3
