"""What SageMaker does under a model's execution role beside reading the artifact: it pulls the image, keeps logs and measures.

Source: "How to use SageMaker AI execution roles", CreateModel API, in the SageMaker developer guide.
"""

import logging

from localcloud.sagemaker import images
from localcloud.sagemaker.cloud import Cloud, Place
from localcloud.sagemaker.errors import WorkFailedError

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage")
NAMESPACE = "/aws/sagemaker/Endpoints"

logger = logging.getLogger(__name__)


def pull_image(cloud: Cloud, place: Place, role_arn: str, image: str) -> None:
    """Ask for what pulling the image takes. Raises WorkFailedError when the role lacks some of it."""
    parts = images.parse(image)
    if parts is None or ".dkr.ecr." not in parts["registry"]:
        return
    account, region = parts["registry"].split(".")[0], parts["registry"].split(".")[3]
    repository = f"arn:aws:ecr:{region}:{account}:repository/{parts['repository']}"
    needed = [("ecr:GetAuthorizationToken", "*"), *((action, repository) for action in PULL)]
    refused = [action for action, arn in needed if not cloud.role_allows(place, role_arn, action, arn, {})]
    if refused:
        raise WorkFailedError(
            f"The role '{role_arn}' does not have sufficient permissions to pull the image {image}: {', '.join(refused)}."
        )


def may_log(cloud: Cloud, place: Place, role_arn: str, endpoint_name: str, variant_name: str, container: str) -> bool:
    """Ask for what logs and metrics take. Without it AWS serves all the same, and keeps neither."""
    group = f"arn:aws:logs:{place.region}:{place.account}:log-group:{NAMESPACE}/{endpoint_name}"
    stream = f"{group}:log-stream:{variant_name}/{container}"
    needed = [
        ("logs:CreateLogGroup", group, {}),
        ("logs:DescribeLogStreams", group, {}),
        ("logs:CreateLogStream", stream, {}),
        ("logs:PutLogEvents", stream, {}),
        ("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": NAMESPACE}),
    ]
    refused = [action for action, arn, keys in needed if not cloud.role_allows(place, role_arn, action, arn, keys)]
    if refused:
        logger.warning("On AWS %s would keep no logs: %s may not do %s.", endpoint_name, role_arn, ", ".join(refused))
    return not refused
