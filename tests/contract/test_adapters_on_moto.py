"""S3, Scheduler and SNS as the adapters use them, on moto."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from lockkeeper.adapters.aws import OneTimeSchedules, TopicMail
from lockkeeper.adapters.in_memory import InMemoryObjects, InMemoryPolicies, SettableClock
from lockkeeper.adapters.s3 import PART, S3Objects, S3Policies
from lockkeeper.domain.errors import EvidenceMissing, PolicyMissing
from lockkeeper.domain.policy import Approver
from lockkeeper.ports import Objects, Policies
from moto import mock_aws

BUCKET = "lockkeeper-bucket"
REGION = "eu-central-1"
AT = datetime(2026, 11, 24, 9, 0, 0, 1, tzinfo=UTC)


@pytest.fixture
def aws() -> Iterator[boto3.Session]:
    with mock_aws():
        yield boto3.Session("testing", "testing", region_name=REGION)


@pytest.fixture
def s3(aws: boto3.Session) -> Any:
    client = aws.client("s3")
    for bucket in (BUCKET, "models"):
        client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="models", Key="wages/report.json", Body=b"evidence")
    return client


@pytest.fixture(params=["s3", "in memory"])
def objects(request: pytest.FixtureRequest) -> Objects:
    if request.param == "s3":
        client = request.getfixturevalue("s3")
        return S3Objects(client, BUCKET, evidence=lambda: client)
    fake = InMemoryObjects(BUCKET)
    fake.stored["s3://models/wages/report.json"] = b"evidence"
    return fake


@pytest.fixture(params=["s3", "in memory"])
def policies(request: pytest.FixtureRequest) -> Policies:
    if request.param == "s3":
        return S3Policies(request.getfixturevalue("s3"), BUCKET)
    return InMemoryPolicies(SettableClock())


def break_off(objects: Objects, written: bytes) -> None:
    """An upload whose source breaks after so many bytes."""
    with objects.keep("incoming/broken") as write:
        write(written)
        raise EvidenceMissing("it broke")


def test_an_object_is_read_up_to_its_limit(objects: Objects) -> None:
    assert objects.read("s3://models/wages/report.json", max_bytes=8) == b"evidence"
    with pytest.raises(EvidenceMissing, match="has 8 bytes, more than the 7"):
        objects.read("s3://models/wages/report.json", max_bytes=7)


@pytest.mark.parametrize(
    "uri", ["s3://models/other", "s3://nobody-has-this/x", "https://x/y", "s3://models", "s3://", ""]
)
def test_what_cannot_be_read_is_missing_evidence(objects: Objects, uri: str) -> None:
    with pytest.raises(EvidenceMissing):
        objects.read(uri, max_bytes=10)
    with pytest.raises(EvidenceMissing):
        objects.stream(uri)


def test_a_stream_is_kept_and_sealed_again(objects: Objects) -> None:
    for _ in range(2):
        with objects.keep("incoming/release") as write:
            write(b"fi")
            write(b"rst")
        sealed = objects.seal_as("incoming/release", "artifacts/ab/model.tar.gz")
        assert sealed == f"s3://{BUCKET}/artifacts/ab/model.tar.gz"
        assert objects.read_own("incoming/release") is None
    assert objects.read_own("artifacts/ab/model.tar.gz") == b"first"


def test_a_version_is_sealed_whatever_was_written_over_it(objects: Objects) -> None:
    with objects.keep("scans/release/0") as write:
        write(b"copied")
    held = objects.write_version("scans/release/1", b"held")
    assert write.version
    for number in range(2):
        objects.write_version(f"scans/release/{number}", b"something else")
    objects.discard("scans/release/0")
    for _ in range(2):
        sealed = objects.seal_version("scans/release/0", write.version, "artifacts/cd/model.tar.gz")
        assert sealed == f"s3://{BUCKET}/artifacts/cd/model.tar.gz"
        objects.seal_version("scans/release/1", held, "artifacts/ef/model.tar.gz")
    assert objects.read_own("artifacts/cd/model.tar.gz") == b"copied"
    assert objects.read_own("artifacts/ef/model.tar.gz") == b"held"
    assert objects.read_own("scans/release/1") == b"something else"


def test_lines_are_read_as_they_were_written(objects: Objects) -> None:
    objects.write("captured/x.jsonl", b"one\ntwo" + b"o" * 2_000_000 + b"\n\nthree", "application/jsonl")
    assert [len(line) for line in objects.own_lines("captured/x.jsonl")] == [3, 2_000_003, 0, 5]
    assert list(objects.own_lines("captured/nothing.jsonl")) == []


def test_an_empty_stream_is_kept(objects: Objects) -> None:
    with objects.keep("incoming/empty"):
        pass
    assert objects.read_own("incoming/empty") == b""


def test_own_objects_are_written_over(objects: Objects) -> None:
    assert objects.read_own("dossiers/x.json") is None
    assert objects.write("dossiers/x.json", b"1", "application/json") == f"s3://{BUCKET}/dossiers/x.json"
    objects.write("dossiers/x.json", b"2", "application/json")
    assert objects.read_own("dossiers/x.json") == b"2"


def test_a_source_that_breaks_leaves_no_object(objects: Objects) -> None:
    with pytest.raises(EvidenceMissing, match="it broke"):
        break_off(objects, b"some")
    assert objects.read_own("incoming/broken") is None


def test_large_streams_go_up_in_parts_and_broken_uploads_are_aborted(s3: Any) -> None:
    adapter = S3Objects(s3, BUCKET, evidence=lambda: s3)
    with adapter.keep("incoming/large") as write:
        for _ in range(20):
            write(b"x" * (1 << 20))
    head = s3.head_object(Bucket=BUCKET, Key="incoming/large")
    assert head["ContentLength"] == 20 << 20
    assert head["ETag"].strip('"').endswith(f"-{-(-(20 << 20) // PART)}")

    with pytest.raises(EvidenceMissing, match="it broke"):
        break_off(adapter, b"x" * PART)
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=BUCKET)


def test_the_upload_of_a_killed_try_is_given_up_by_the_next_one(s3: Any) -> None:
    for key in ("incoming/killed", "incoming/killed-not"):
        s3.create_multipart_upload(Bucket=BUCKET, Key=key)
    with S3Objects(s3, BUCKET, evidence=lambda: s3).keep("incoming/killed") as write:
        write(b"whole")
    assert [one["Key"] for one in s3.list_multipart_uploads(Bucket=BUCKET)["Uploads"]] == ["incoming/killed-not"]


def test_a_policy_is_loaded_by_version(policies: Policies) -> None:
    with pytest.raises(PolicyMissing, match="lockkeeper policy apply"):
        policies.load("wages")
    first = policies.save("wages", "one: 1", "arn:aws:iam::111111111111:user/ada")
    second = policies.save("wages", "one: ü", "arn:aws:iam::111111111111:user/ada")
    assert first.version_id != second.version_id
    assert policies.load("wages").text == "one: ü"
    assert policies.load("wages", first.version_id).text == "one: 1"
    assert policies.load("wages").changed_by == "arn:aws:iam::111111111111:user/ada"
    assert policies.load("wages").changed_at.endswith("Z")


def test_a_one_time_schedule_is_rounded_up_and_replaced_by_its_name(aws: boto3.Session) -> None:
    client = aws.client("scheduler")
    client.create_schedule_group(Name="lockkeeper")
    schedules = OneTimeSchedules(
        client,
        group="lockkeeper",
        target_arn=f"arn:aws:lambda:{REGION}:111111111111:function:resume",
        role_arn="arn:aws:iam::111111111111:role/scheduler",
        dead_letter_arn=f"arn:aws:sqs:{REGION}:111111111111:dead-letters",
    )
    schedules.once("bake", AT, {"deadline": {"release_id": "a"}})
    schedules.once("bake", AT.replace(hour=10), {"deadline": {"release_id": "b"}})
    kept = client.get_schedule(Name="bake", GroupName="lockkeeper")
    assert kept["ScheduleExpression"] == "at(2026-11-24T10:00:01)"
    assert json.loads(kept["Target"]["Input"]) == {"deadline": {"release_id": "b"}}
    assert kept["Target"]["DeadLetterConfig"]["Arn"].endswith(":dead-letters")
    schedules.cancel("bake")
    schedules.cancel("bake")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        client.get_schedule(Name="bake", GroupName="lockkeeper")


def schedules_on(aws: boto3.Session) -> tuple[Any, OneTimeSchedules]:
    client = aws.client("scheduler")
    client.create_schedule_group(Name="monitors")
    place = f"{REGION}:111111111111"
    return client, OneTimeSchedules(
        client,
        group="monitors",
        target_arn=f"arn:aws:lambda:{place}:function:monitor",
        role_arn="arn:aws:iam::111111111111:role/scheduler",
        dead_letter_arn=f"arn:aws:sqs:{place}:dead-letters",
    )


def test_a_schedule_that_two_make_at_the_same_time_is_there_once(aws: boto3.Session) -> None:
    client, schedules = schedules_on(aws)
    rival = OneTimeSchedules(
        aws.client("scheduler"), group="monitors", target_arn="arn:aws:lambda:eu-central-1:111111111111:function:monitor",
        role_arn="arn:aws:iam::111111111111:role/scheduler", dead_letter_arn="arn:aws:sqs:eu-central-1:111111111111:dead-letters",
    )  # fmt: skip

    def be_faster(**_call: Any) -> None:
        rival.every("wages", 86400, {})

    client.meta.events.register("before-call.scheduler.CreateSchedule", be_faster)
    schedules.every("wages", 86400, {})
    assert [one["Name"] for one in client.list_schedules(GroupName="monitors")["Schedules"]] == ["wages"]
    assert client.get_schedule(Name="wages", GroupName="monitors")["ScheduleExpression"] == "rate(1 day)"


def test_a_one_time_schedule_that_fires_while_it_is_replaced_is_made_anew(aws: boto3.Session) -> None:
    client, schedules = schedules_on(aws)
    other = aws.client("scheduler")

    def fire(**_call: Any) -> None:
        other.delete_schedule(Name="bake", GroupName="monitors")

    schedules.once("bake", AT, {})
    client.meta.events.register("before-call.scheduler.UpdateSchedule", fire)
    schedules.once("bake", AT.replace(hour=10), {})
    kept = client.get_schedule(Name="bake", GroupName="monitors")
    assert kept["ScheduleExpression"] == "at(2026-11-24T10:00:01)"


@pytest.mark.parametrize(
    ("seconds", "expression"),
    [
        (300, "rate(5 minutes)"),
        (3600, "rate(1 hour)"),
        (86400, "rate(1 day)"),
        (172800, "rate(2 days)"),
        (5400, "rate(90 minutes)"),
    ],
)
def test_a_schedule_that_comes_again_and_again_has_schedulers_words(
    aws: boto3.Session, seconds: int, expression: str
) -> None:
    client, schedules = schedules_on(aws)
    schedules.every("wages", seconds, {"drift_monitor": {"group": "wages"}})
    assert client.get_schedule(Name="wages", GroupName="monitors")["ScheduleExpression"] == expression


def test_a_schedule_with_its_pace_goes_on_as_it_is_and_another_pace_replaces_it(aws: boto3.Session) -> None:
    client, schedules = schedules_on(aws)
    for seconds, payload in ((3600, "first"), (3600, "second"), (7200, "third")):
        schedules.every("wages", seconds, {"drift_monitor": {"group": payload}})
        kept = client.get_schedule(Name="wages", GroupName="monitors")
        # Written again, it would count its pause anew.
        expected = {"first": "first", "second": "first", "third": "third"}[payload]
        assert json.loads(kept["Target"]["Input"]) == {"drift_monitor": {"group": expected}}
    schedules.cancel("wages")
    schedules.cancel("wages")
    assert client.list_schedules(GroupName="monitors")["Schedules"] == []


def queue_on(aws: boto3.Session) -> tuple[Any, str, str]:
    client = aws.client("sqs")
    url = client.create_queue(QueueName="heard")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return client, url, arn


def heard(client: Any, url: str) -> list[dict[str, Any]]:
    messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    return [json.loads(message["Body"]) for message in messages]


def test_a_personal_mail_carries_its_address_and_a_subject_sns_takes(aws: boto3.Session) -> None:
    sns = aws.client("sns")
    personal, everybody = (sns.create_topic(Name=name)["TopicArn"] for name in ("personal", "everybody"))
    client, url, arn = queue_on(aws)
    for topic in (personal, everybody):
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    mail = TopicMail(sns, personal_topic_arn=personal, broadcast_topic_arn=everybody)
    mail.personal(Approver(name="Ada", email="Ada@example.com"), f"Grüße\n{'x' * 200}", "text")
    mail.broadcast("promoted", "to all")
    first, second = sorted(heard(client, url), key=lambda message: message["TopicArn"], reverse=True)
    assert first["MessageAttributes"] == {"address": {"Type": "String", "Value": "ada@example.com"}}
    assert first["Subject"].startswith("Gr??e?x")
    assert len(first["Subject"]) == 99
    assert (second["Message"], "MessageAttributes" in second) == ("to all", False)
    mail.broadcast("URGENT", "look now", urgent=True)
    (urgent,) = heard(client, url)
    assert urgent["MessageAttributes"]["urgent"]["Value"] == "true"


def test_an_address_is_confirmed_once_its_owner_has_followed_the_link_and_its_filter_lets_mails_through(
    aws: boto3.Session,
) -> None:
    sns = aws.client("sns")
    topic = sns.create_topic(Name="personal")["TopicArn"]
    own, earlier = json.dumps({"address": ["ada@example.com"]}), json.dumps({"approver": ["Bo"]})
    for address, kept in (("Ada@example.com", own), ("bo@example.com", earlier), ("other@example.com", own)):
        sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=address, Attributes={"FilterPolicy": kept})
    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+4912345678")
    mail = TopicMail(sns, personal_topic_arn=topic, broadcast_topic_arn="")
    asked = frozenset({"ada@example.com", "bo@example.com", "grace@example.com", "other@example.com"})
    assert mail.confirmed(asked) == {"ada@example.com"}
    with Stubber(sns) as stubbed:
        pending = {"Protocol": "email", "Endpoint": "ada@example.com", "SubscriptionArn": "PendingConfirmation"}
        stubbed.add_response("list_subscriptions_by_topic", {"Subscriptions": [pending]}, {"TopicArn": topic})
        assert mail.confirmed(asked) == frozenset()
