"""CloudFormation: properties that the emulator drops and resource types that it does not know."""

import asyncio
import contextvars
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.sax.saxutils import escape

import yaml
from ministack import app as gateway
from ministack.services import dynamodb, lambda_svc, s3, stepfunctions
from ministack.services.cloudformation import provisioners

from localcloud.conformance.patching import wraps

Properties = dict[str, Any]


def read_definitions() -> None:
    """A YAML state machine deploys and never runs in the emulator, and a wrong one deploys as well.

    CloudFormation turns YAML into JSON, and Step Functions refuses what it would refuse in its API.
    """

    @wraps(provisioners, "_sfn_definition")
    def define(original: Any, properties: Properties) -> str:
        text = str(original(properties))
        try:
            json.loads(text)
        except ValueError:
            text = json.dumps(yaml.safe_load(text))
        refusal = stepfunctions._validate_definition_jsonata(text)
        if refusal:
            raise provisioners._sfn_handler_error(refusal)
        return text


def amend(resource_type: str, kept: Callable[[str, Properties], None]) -> None:
    """Call `kept(physical id, properties)` after each create and update of a resource type."""
    handler = provisioners._RESOURCE_HANDLERS[resource_type]
    create, update = handler["create"], handler.get("update")

    def create_and_keep(logical_id: str, properties: Properties, stack_name: str) -> Any:
        created = create(logical_id, properties, stack_name)
        kept(created[0], properties)
        return created

    handler["create"] = create_and_keep
    if update is None:
        return

    def update_and_keep(physical_id: str, old: Properties, new: Properties, *rest: Any, **keywords: Any) -> Any:
        updated = update(physical_id, old, new, *rest, **keywords)
        kept(updated[0], new)
        return updated

    handler["update"] = update_and_keep


def keep_function_properties() -> None:
    """The emulator drops a function's DeadLetterConfig, KmsKeyArn and ReservedConcurrentExecutions."""

    def kept(name: str, properties: Properties) -> None:
        function = lambda_svc._functions.get(name)
        if function is None:
            return
        for key in ("DeadLetterConfig", "KmsKeyArn"):
            if properties.get(key):
                function["config"][key] = properties[key]
        if properties.get("ReservedConcurrentExecutions") is not None:
            function["concurrency"] = int(properties["ReservedConcurrentExecutions"])

    amend("AWS::Lambda::Function", kept)


def keep_time_to_live() -> None:
    """The emulator drops a table's TimeToLiveSpecification."""

    def kept(name: str, properties: Properties) -> None:
        wanted = properties.get("TimeToLiveSpecification")
        if wanted and wanted.get("AttributeName"):
            enabled = str(wanted.get("Enabled", True)).lower() == "true"
            specification = {"AttributeName": wanted["AttributeName"], "Enabled": enabled}
            dynamodb._update_ttl({"TableName": name, "TimeToLiveSpecification": specification})

    amend("AWS::DynamoDB::Table", kept)


def keep_bucket_encryption() -> None:
    """The emulator drops a bucket's BucketEncryption."""

    def kept(name: str, properties: Properties) -> None:
        rules = (properties.get("BucketEncryption") or {}).get("ServerSideEncryptionConfiguration") or []
        s3._delete_bucket_encryption(name)
        if not rules:
            return
        default = rules[0].get("ServerSideEncryptionByDefault") or {}
        key = default.get("KMSMasterKeyID")
        document = (
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>"
            f"<SSEAlgorithm>{escape(default.get('SSEAlgorithm', 'AES256'))}</SSEAlgorithm>"
            f"{f'<KMSMasterKeyID>{escape(key)}</KMSMasterKeyID>' if key else ''}"
            "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"
        )
        s3._put_bucket_encryption(name, document.encode())

    amend("AWS::S3::Bucket", kept)


def call_sagemaker(operation: str, request: Properties) -> Properties:
    """Call the local SageMaker as a client would. Raises ValueError with its message when it refuses."""
    headers = {"x-amz-target": f"SageMaker.{operation}", "content-type": "application/x-amz-json-1.1"}
    handler = gateway.SERVICE_HANDLERS["sagemaker"]
    call = handler("POST", "/", headers, json.dumps(request).encode(), {})
    # Stacks are worked on by the server's own event loop, so the call gets a loop of its own on another thread.
    with ThreadPoolExecutor(max_workers=1) as pool:
        status, _, body = pool.submit(contextvars.copy_context().run, asyncio.run, call).result()
    answer: Properties = json.loads(body or b"{}")
    if status >= 400:
        raise ValueError(f"{operation}: {answer.get('message') or answer.get('Message') or answer}")
    return answer


def name_of(properties: Properties, key: str, logical_id: str, stack_name: str) -> str:
    """The name a template gives, or one that CloudFormation makes up."""
    return str(properties.get(key) or provisioners._physical_name(stack_name, logical_id, max_len=63))


def create_model_package_group(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
    """AWS::SageMaker::ModelPackageGroup; Ref gives the ARN, as on AWS."""
    name = name_of(properties, "ModelPackageGroupName", logical_id, stack_name)
    request = {key: properties[key] for key in ("ModelPackageGroupDescription", "Tags") if key in properties}
    arn = call_sagemaker("CreateModelPackageGroup", {"ModelPackageGroupName": name, **request})["ModelPackageGroupArn"]
    policy = properties.get("ModelPackageGroupPolicy")
    if policy:
        text = policy if isinstance(policy, str) else json.dumps(policy)
        call_sagemaker("PutModelPackageGroupPolicy", {"ModelPackageGroupName": name, "ResourcePolicy": text})
    return arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"}


def delete_model_package_group(physical_id: str, _properties: Properties) -> None:
    """Delete a group; one that still holds versions is refused by SageMaker."""
    call_sagemaker("DeleteModelPackageGroup", {"ModelPackageGroupName": physical_id.rpartition("/")[2]})


def pipeline_definition(properties: Properties) -> Properties:
    """The definition fields of CreatePipeline from the template's, which may hold the JSON or its place in S3."""
    definition = properties["PipelineDefinition"]
    place = definition.get("PipelineDefinitionS3Location")
    if place:
        # CloudFormation and the API name the same fields differently.
        version = {"VersionId": place["Version"]} if place.get("Version") else {}
        return {"PipelineDefinitionS3Location": {"Bucket": place["Bucket"], "ObjectKey": place["Key"], **version}}
    body = definition["PipelineDefinitionBody"]
    return {"PipelineDefinition": body if isinstance(body, str) else json.dumps(body)}


def create_pipeline(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Properties]:
    """AWS::SageMaker::Pipeline; Ref gives the name."""
    name = name_of(properties, "PipelineName", logical_id, stack_name)
    optional = ("PipelineDisplayName", "PipelineDescription", "Tags", "ParallelismConfiguration")
    request = {
        "PipelineName": name,
        "RoleArn": properties["RoleArn"],
        "ClientRequestToken": f"{stack_name}-{logical_id}".ljust(32, "0")[:128],
        **pipeline_definition(properties),
        **{key: properties[key] for key in optional if key in properties},
    }
    arn = call_sagemaker("CreatePipeline", request)["PipelineArn"]
    return name, {"PipelineName": name, "PipelineArn": arn}


def update_pipeline(
    physical_id: str, _old: Properties, new: Properties, *_rest: Any, **_keywords: Any
) -> tuple[str, Properties]:
    """Update a pipeline in place."""
    request = {"PipelineName": physical_id, "RoleArn": new["RoleArn"], **pipeline_definition(new)}
    arn = call_sagemaker("UpdatePipeline", request)["PipelineArn"]
    return physical_id, {"PipelineName": physical_id, "PipelineArn": arn}


def delete_pipeline(physical_id: str, _properties: Properties) -> None:
    """Delete a pipeline."""
    token = physical_id.ljust(32, "0")[:128]
    call_sagemaker("DeletePipeline", {"PipelineName": physical_id, "ClientRequestToken": token})


def register_sagemaker_types() -> None:
    """The emulator refuses every AWS::SageMaker type."""
    provisioners._RESOURCE_HANDLERS["AWS::SageMaker::ModelPackageGroup"] = {
        "create": create_model_package_group,
        "delete": delete_model_package_group,
    }
    provisioners._RESOURCE_HANDLERS["AWS::SageMaker::Pipeline"] = {
        "create": create_pipeline,
        "update": update_pipeline,
        "delete": delete_pipeline,
    }


def install() -> None:
    """Apply every patch of this service."""
    read_definitions()
    keep_function_properties()
    keep_time_to_live()
    keep_bucket_encryption()
    register_sagemaker_types()
