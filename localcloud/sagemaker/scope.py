"""What the local SageMaker makes of each parameter that has no effect on a laptop: kept and shown, or refused.

Whatever could change what a caller gets is refused, so that nothing succeeds in silence. docs/local-sagemaker.md has both
tables, and a test holds them against botocore's model and against this code.
"""

from collections.abc import Mapping

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import ApiError

DOCUMENT = "docs/local-sagemaker.md"

KEPT: Mapping[str, frozenset[str]] = {
    "CreateEndpointConfig": frozenset(
        {"KmsKeyId", "ExecutionRoleArn", "VpcConfig", "EnableNetworkIsolation"}
    ),
    "CreateModel": frozenset({"InferenceExecutionConfig", "VpcConfig", "EnableNetworkIsolation"}),
    "CreateModelPackage": frozenset(
        {
            "CertifyForMarketplace", "Domain", "DriftCheckBaselines", "MetadataProperties", "ModelMetrics",
            "SamplePayloadUrl", "SecurityConfig", "SkipModelValidation", "SourceAlgorithmSpecification", "Task",
        }
    ),
    "CreatePipeline": frozenset({"ParallelismConfiguration"}),
    "UpdatePipeline": frozenset({"ParallelismConfiguration"}),
    "StartPipelineExecution": frozenset({"ParallelismConfiguration"}),
    "CreateProcessingJob": frozenset({"ExperimentConfig", "NetworkConfig"}),
    "CreateTrainingJob": frozenset(
        {
            "CheckpointConfig", "DebugHookConfig", "DebugRuleConfigurations", "EnableInterContainerTrafficEncryption",
            "EnableManagedSpotTraining", "EnableNetworkIsolation", "ExperimentConfig", "InfraCheckConfig",
            "ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig", "RetryStrategy", "TensorBoardOutputConfig",
            "VpcConfig",
        }
    ),
}  # fmt: skip
"""Parameters that are checked, kept and shown by Describe, and do nothing: placement, encryption, observation, description."""

REFUSED: Mapping[str, frozenset[str]] = {
    "CreateEndpointConfig": frozenset({"ExplainerConfig", "MetricsConfig"}),
    "CreateModelPackage": frozenset({"ManagedStorageType", "ValidationSpecification"}),
    "CreateModelPackageGroup": frozenset({"ManagedConfiguration"}),
    "CreateTrainingJob": frozenset(
        {"MlflowConfig", "ModelPackageConfig", "ServerlessJobConfig", "SessionChainingConfig"}
    ),
    "CreateHyperParameterTuningJob": frozenset({"Autotune", "TrainingJobDefinitions", "WarmStartConfig"}),
    "DescribeModelPackage": frozenset({"IncludedData"}),
    "DescribePipeline": frozenset({"PipelineVersionId"}),
    "InvokeEndpointAsync": frozenset({"Body", "Filename", "S3OutputPathExtension"}),
    "InvokeEndpoint": frozenset(
        {
            "EnableExplanations",
            "InferenceComponentName",
            "PrefixAwareId",
            "SessionId",
            "TargetContainerHostname",
            "TargetModel",
        }
    ),
    "ListModelPackageGroups": frozenset({"CrossAccountFilterOption"}),
    "ListTrainingJobs": frozenset({"TrainingPlanArnEquals", "WarmPoolStatusEquals"}),
    "StartPipelineExecution": frozenset({"MlflowExperimentName", "PipelineVersionId", "SelectiveExecutionConfig"}),
    "UpdateEndpoint": frozenset({"ExcludeRetainedVariantProperties"}),
}
"""Parameters whose effect the laptop does not have; asking for it is an error."""


def unsupported_operation(operation: str) -> ApiError:
    """The answer to an operation that SageMaker has and the laptop has not."""
    return ApiError(
        "UnsupportedOperationException",
        f"The laptop's AWS does not have SageMaker's {operation}; {DOCUMENT} lists what it has.",
        501,
    )


def check(operation: str, parameters: JsonObject) -> None:
    """Raise ApiError for a parameter whose effect would be missing."""
    for name in sorted(REFUSED.get(operation, frozenset())):
        if parameters.get(name):
            raise ApiError(
                "UnsupportedOperationException",
                f"The laptop's SageMaker has no {name} of {operation}; {DOCUMENT} lists what it has.",
                501,
            )
