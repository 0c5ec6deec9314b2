"""What SageMaker does under a model's or a job's role beside reading and writing its files: it pulls the image, keeps logs and measures.

Source: "How to use SageMaker AI execution roles", CreateModel API and CreateProcessingJob API, in the SageMaker developer guide.
"""

import logging
from collections.abc import Sequence

from localcloud.sagemaker import images
from localcloud.sagemaker.cloud import Cloud, Place
from localcloud.sagemaker.errors import WorkFailedError

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
ENDPOINTS, PROCESSING_JOBS = "/aws/sagemaker/Endpoints", "/aws/sagemaker/ProcessingJobs"

logger = logging.getLogger(__name__)


def pull_image(cloud: Cloud, place: Place, role_arn: str, image: str) -> None:
    """Ask for what pulling the image takes. Raises WorkFailedError when the role lacks some of it."""
    refused = _refused_of_image(cloud, place, role_arn, image)
    if refused:
        raise WorkFailedError(
            f"The role '{role_arn}' does not have sufficient permissions to pull the image {image}: {', '.join(refused)}."
        )


def look_at_alarms(cloud: Cloud, place: Place, role_arn: str, names: Sequence[str]) -> None:
    """Ask for what looking at the alarms of a deployment takes. Raises WorkFailedError when the role lacks it.

    Source: "Auto-Rollback Configuration and Monitoring", in the SageMaker developer guide.
    """
    alarms = [f"arn:aws:cloudwatch:{place.region}:{place.account}:alarm:{name}" for name in names]
    if not all(cloud.role_allows(place, role_arn, "cloudwatch:DescribeAlarms", arn, {}) for arn in alarms):
        raise WorkFailedError(
            f"The role '{role_arn}' does not have sufficient permissions to look at the alarms of the deployment: "
            "cloudwatch:DescribeAlarms."
        )


def may_log(cloud: Cloud, place: Place, role_arn: str, endpoint_name: str, variant_name: str, container: str) -> bool:
    """Ask for what logs and metrics take. Without it AWS serves all the same, and keeps neither."""
    stream = f"{variant_name}/{container}"
    refused = _refused_of_logs(cloud, place, role_arn, ENDPOINTS, f"{ENDPOINTS}/{endpoint_name}", stream)
    if refused:
        logger.warning("On AWS %s would keep no logs: %s may not do %s.", endpoint_name, role_arn, ", ".join(refused))
    return not refused


def may_run_job(cloud: Cloud, place: Place, role_arn: str, image: str, job_name: str) -> bool:
    """Ask for what a processing job takes. The laptop runs it all the same: roles that people write for it seldom have these."""
    refused = _refused_of_image(cloud, place, role_arn, image)
    refused += _refused_of_logs(cloud, place, role_arn, PROCESSING_JOBS, PROCESSING_JOBS, f"{job_name}/algo-1")
    if refused:
        logger.warning("On AWS %s would miss what %s may not do: %s.", job_name, role_arn, ", ".join(refused))
    return not refused


def _refused_of_image(cloud: Cloud, place: Place, role_arn: str, image: str) -> list[str]:
    parts = images.parse(image)
    if parts is None or ".dkr.ecr." not in parts["registry"]:
        return []
    account, region = parts["registry"].split(".")[0], parts["registry"].split(".")[3]
    repository = f"arn:aws:ecr:{region}:{account}:repository/{parts['repository']}"
    needed = [("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in PULL)]
    return [action for action, arn in needed if not cloud.role_allows(place, role_arn, action, arn, {})]


def _refused_of_logs(
    cloud: Cloud, place: Place, role_arn: str, namespace: str, group_name: str, stream_name: str
) -> list[str]:
    group = f"arn:aws:logs:{place.region}:{place.account}:log-group:{group_name}"
    stream = f"{group}:log-stream:{stream_name}"
    needed = [
        ("logs:CreateLogGroup", group, {}),
        ("logs:DescribeLogStreams", group, {}),
        ("logs:CreateLogStream", stream, {}),
        ("logs:PutLogEvents", stream, {}),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace}),
    ]
    return [action for action, arn, keys in needed if not cloud.role_allows(place, role_arn, action, arn, keys)]
