"""Pipelines: their definitions."""

import copy

from localcloud.sagemaker import pipeline_definitions
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject, split_uri
from localcloud.sagemaker.errors import invalid, not_found
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import Store, tag_map

SUMMARY = (
    "PipelineArn", "PipelineName", "PipelineDisplayName", "PipelineDescription", "RoleArn", "CreationTime",
    "LastModifiedTime", "LastExecutionTime",
)  # fmt: skip
NOT_KEPT = ("Tags", "ClientRequestToken", "PipelineDefinitionS3Location")


class Pipelines:
    """CreatePipeline and its kin."""

    def __init__(self, store: Store, cloud: Cloud) -> None:
        self._store = store
        self._cloud = cloud

    def operations(self) -> dict[str, Operation]:
        return {
            "CreatePipeline": self.create,
            "UpdatePipeline": self.update,
            "DescribePipeline": self.describe,
            "ListPipelines": self.list_page,
            "DeletePipeline": self.delete,
        }

    def create(self, call: Call) -> JsonObject:
        world, name, token = self._store.world(call.place), call["PipelineName"], call["ClientRequestToken"]
        arn = call.place.arn(f"pipeline/{name}")
        if world.tokens.get((call.operation, token)) == arn and name in world.pipelines:
            return {"PipelineArn": arn}
        if name in world.pipelines:
            raise invalid(
                "Pipeline names must be unique within an AWS account and region. "
                f"Pipeline with name ({name}) already exists."
            )
        text = self._definition(call)
        if text is None:
            raise invalid("Either PipelineDefinition or PipelineDefinitionS3Location has to be given.")
        self._check_role(call["RoleArn"])
        now = self._cloud.now()
        world.pipelines[name] = {
            "PipelineDisplayName": name,
            **{key: copy.deepcopy(value) for key, value in call.parameters.items() if key not in NOT_KEPT},
            "PipelineArn": arn,
            "PipelineDefinition": text,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": call.user_context(),
            "LastModifiedBy": call.user_context(),
        }
        world.tags[arn] = tag_map(call.get("Tags"))
        world.tokens[call.operation, token] = arn
        return {"PipelineArn": arn}

    def update(self, call: Call) -> JsonObject:
        pipeline = find_pipeline(self._store, call)
        text = self._definition(call)
        if call.get("RoleArn"):
            self._check_role(call["RoleArn"])
        changes = {key: value for key, value in call.parameters.items() if key not in (*NOT_KEPT, "PipelineName")}
        pipeline |= copy.deepcopy(changes)
        if text is not None:
            pipeline["PipelineDefinition"] = text
        pipeline |= {"LastModifiedTime": self._cloud.now(), "LastModifiedBy": call.user_context()}
        return {"PipelineArn": pipeline["PipelineArn"]}

    def describe(self, call: Call) -> JsonObject:
        described = copy.deepcopy(find_pipeline(self._store, call))
        if "LastExecutionTime" in described:
            described["LastRunTime"] = described.pop("LastExecutionTime")
        return described

    def list_page(self, call: Call) -> JsonObject:
        prefix = call.get("PipelineNamePrefix", "")
        found = [one for name, one in self._store.world(call.place).pipelines.items() if name.startswith(prefix)]
        return select(
            call,
            found,
            name="PipelineName",
            summary=lambda pipeline: {key: pipeline[key] for key in SUMMARY if key in pipeline},
            answer="PipelineSummaries",
        )

    def delete(self, call: Call) -> JsonObject:
        pipeline, world = find_pipeline(self._store, call), self._store.world(call.place)
        arn: str = pipeline["PipelineArn"]
        del world.pipelines[pipeline["PipelineName"]]
        world.tags.pop(arn, None)
        return {"PipelineArn": arn}

    def _check_role(self, role_arn: str) -> None:
        if not self._cloud.may_assume(role_arn):
            raise invalid(
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                "'sagemaker.amazonaws.com' to assume the role."
            )

    def _definition(self, call: Call) -> str | None:
        """The definition's text, from the request or from S3, once it has been found fit to run."""
        text, location = call.get("PipelineDefinition"), call.get("PipelineDefinitionS3Location")
        if text and location:
            raise invalid("Only one of PipelineDefinition and PipelineDefinitionS3Location may be given.")
        if location:
            uri = f"s3://{location['Bucket']}/{location['ObjectKey']}"
            try:
                text = self._cloud.read(call.place, uri).decode("utf-8")
            except FileNotFoundError:
                raise invalid(f"Could not find the pipeline definition {'/'.join(split_uri(uri))}.") from None
        if text:
            pipeline_definitions.parse(text)
        return str(text) if text else None


def find_pipeline(store: Store, call: Call) -> JsonObject:
    """A pipeline by its name or ARN. Raises ApiError when there is none."""
    name = call["PipelineName"].rpartition("/")[2]
    pipeline = store.world(call.place).pipelines.get(name)
    if pipeline is None:
        raise not_found(f"Pipeline '{call.place.arn(f'pipeline/{name}')}' does not exist.")
    return pipeline
