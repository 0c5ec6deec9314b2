"""S3, DynamoDB and CloudFormation: what the application leans on, patched or as the emulator brings it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def code_of(action: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as refused:
        action()
    return str(refused.value.response["Error"]["Code"])


def test_a_write_once_key_is_written_once(cloud: Any, unique: str) -> None:
    s3, place = cloud.client("s3"), {"Bucket": cloud.outputs["BucketName"], "Key": unique}
    s3.put_object(**place, Body=b"first", IfNoneMatch="*")
    assert code_of(lambda: s3.put_object(**place, Body=b"second", IfNoneMatch="*")) == "PreconditionFailed"
    assert s3.get_object(**place)["Body"].read() == b"first"


def test_a_copy_is_conditional_too(cloud: Any, unique: str) -> None:
    s3, bucket = cloud.client("s3"), cloud.outputs["BucketName"]
    s3.put_object(Bucket=bucket, Key=unique, Body=b"source")
    copy = {"Bucket": bucket, "Key": f"{unique}/copy", "CopySource": {"Bucket": bucket, "Key": unique}}
    s3.copy_object(**copy, IfNoneMatch="*")
    assert code_of(lambda: s3.copy_object(**copy, IfNoneMatch="*")) == "PreconditionFailed"


def test_a_multipart_upload_is_conditional_when_it_completes(cloud: Any, unique: str) -> None:
    s3, place = cloud.client("s3"), {"Bucket": cloud.outputs["BucketName"], "Key": unique}

    def upload() -> None:
        upload_id = s3.create_multipart_upload(**place)["UploadId"]
        parts = []
        for number, body in enumerate((b"a" * 5 * 1024 * 1024, b"b"), start=1):
            part = s3.upload_part(**place, UploadId=upload_id, PartNumber=number, Body=body)
            parts.append({"PartNumber": number, "ETag": part["ETag"]})
        s3.complete_multipart_upload(**place, UploadId=upload_id, MultipartUpload={"Parts": parts}, IfNoneMatch="*")

    upload()
    assert code_of(upload) == "PreconditionFailed"
    assert s3.head_object(**place)["ContentLength"] == 5 * 1024 * 1024 + 1


def test_every_version_can_be_read(cloud: Any, unique: str) -> None:
    s3, place = cloud.client("s3"), {"Bucket": cloud.outputs["BucketName"], "Key": unique}
    versions = [s3.put_object(**place, Body=body)["VersionId"] for body in (b"one", b"two")]
    read = [s3.get_object(**place, VersionId=version)["Body"].read() for version in versions]
    assert read == [b"one", b"two"]


def test_a_transaction_is_all_or_nothing_and_says_why(cloud: Any, unique: str) -> None:
    table, dynamodb = cloud.outputs["TableName"], cloud.client("dynamodb")

    def put(sort_key: str, **condition: str) -> dict[str, Any]:
        return {"Put": {"TableName": table, "Item": {"pk": {"S": unique}, "sk": {"S": sort_key}}, **condition}}

    dynamodb.transact_write_items(TransactItems=[put("first")])
    with pytest.raises(ClientError) as refused:
        dynamodb.transact_write_items(
            TransactItems=[put("second"), put("first", ConditionExpression="attribute_not_exists(pk)")]
        )
    assert refused.value.response["Error"]["Code"] == "TransactionCanceledException"
    reasons = [reason["Code"] for reason in refused.value.response["CancellationReasons"]]
    assert reasons == ["None", "ConditionalCheckFailed"]
    assert "Item" not in dynamodb.get_item(TableName=table, Key={"pk": {"S": unique}, "sk": {"S": "second"}})


def test_time_to_live_is_kept(cloud: Any) -> None:
    described = cloud.client("dynamodb").describe_time_to_live(TableName=cloud.outputs["TableName"])
    assert described["TimeToLiveDescription"] == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}


def test_function_properties_are_kept(cloud: Any) -> None:
    functions = cloud.client("lambda")
    config = functions.get_function_configuration(FunctionName=cloud.outputs["ProbeArn"])
    assert config["DeadLetterConfig"] == {"TargetArn": cloud.outputs["QueueArn"]}
    concurrency = functions.get_function_concurrency(FunctionName=cloud.outputs["ReservedName"])
    assert concurrency["ReservedConcurrentExecutions"] == 1
