"""Application Auto Scaling for endpoints' variants: scalable targets and scaling policies are kept, and bounds are kept to.

No policy ever acts: nobody measures load here. What asks for other instance counts is the tests, by
UpdateEndpointWeightsAndCapacities, as Application Auto Scaling does on AWS.
"""

import copy
import hashlib

from localcloud.sagemaker import validation
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.deployments import Deployments
from localcloud.sagemaker.errors import ApiError, invalid
from localcloud.sagemaker.scalable_targets import VARIANT, instance_types
from localcloud.sagemaker.store import Store

SERVICE = "application-autoscaling"
DIMENSION = "sagemaker:variant:DesiredInstanceCount"
BURSTABLE = "ml.t"
Check = tuple[str, str, dict[str, str]]
"""Action, resource and condition keys of something that IAM is asked."""
SERVICE_LINKED_ROLE = (
    "role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
)


class Scaling:
    """The operations on scalable targets and their policies."""

    def __init__(self, store: Store, cloud: Cloud, deployments: Deployments) -> None:
        self._store = store
        self._cloud = cloud
        self._deployments = deployments
        self._operations: dict[str, Operation] = {
            "RegisterScalableTarget": self.register,
            "DescribeScalableTargets": self.describe_targets,
            "DeregisterScalableTarget": self.deregister,
            "PutScalingPolicy": self.put_policy,
            "DescribeScalingPolicies": self.describe_policies,
            "DeleteScalingPolicy": self.delete_policy,
        }

    def handle(self, place: Place, operation: str, parameters: JsonObject, caller_arn: str) -> JsonObject:
        """Answer a call. Raises ApiError for every refusal, among them operations and services that are not here."""
        answer = self._operations.get(operation)
        checked = validation.check(operation, parameters, SERVICE)
        dimension = checked.get("ScalableDimension", DIMENSION)
        if answer is None or checked["ServiceNamespace"] != "sagemaker" or dimension != DIMENSION:
            raise ApiError("UnsupportedOperationException", "The laptop's AWS scales variants of endpoints alone.", 501)
        with self._store.lock:
            return answer(Call(place, operation, checked, caller_arn))

    def register(self, call: Call) -> JsonObject:
        world, resource = self._store.world(call.place), call["ResourceId"]
        endpoint, variant = self._variant(call)
        known = world.scalable_targets.get(resource, {})
        least, most = (call.get(name, known.get(name)) for name in ("MinCapacity", "MaxCapacity"))
        if least is None or most is None:
            raise invalid("MinCapacity and MaxCapacity are required for a new scalable target.")
        if least > most:
            raise invalid("Minimum capacity cannot be greater than maximum capacity.")
        self._check_variant(call, endpoint, variant)
        target = known or {
            "ServiceNamespace": "sagemaker",
            "ResourceId": resource,
            "ScalableDimension": DIMENSION,
            "RoleARN": f"arn:aws:iam::{call.place.account}:{SERVICE_LINKED_ROLE}",
            "CreationTime": self._cloud.now(),
            "ScalableTargetARN": target_arn(call.place, resource),
        }
        world.scalable_targets[resource] = {**target, "MinCapacity": least, "MaxCapacity": most}
        self._keep_to(call.place, endpoint, variant, least, most)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _check_variant(self, call: Call, endpoint: JsonObject, variant: str) -> None:
        if endpoint["EndpointStatus"] not in ("InService", "Updating", "SystemUpdating"):
            raise invalid(f"Endpoint {endpoint['EndpointName']} is {endpoint['EndpointStatus']}, not InService.")
        kind = instance_types(self._store.world(call.place), endpoint["EndpointConfigName"]).get(variant, "")
        if not kind or kind.startswith(BURSTABLE):
            raise invalid(f"Variant {variant} cannot be scaled: its instance type is {kind or 'none'}.")

    def _keep_to(self, place: Place, endpoint: JsonObject, variant: str, least: int, most: int) -> None:
        """A variant outside of its new bounds is brought inside. One that is changing is left to itself."""
        present = next(
            (one for one in endpoint.get("ProductionVariants", []) if one["VariantName"] == variant),
            {},
        )
        count = present.get("DesiredInstanceCount", least)
        wanted = min(max(count, least), most)
        if wanted != count and endpoint["EndpointStatus"] == "InService":
            endpoint |= {"EndpointStatus": "Updating", "LastModifiedTime": self._cloud.now()}
            desired = [{"VariantName": variant, "DesiredInstanceCount": wanted}]
            self._deployments.start_resize(place, endpoint, desired)

    def describe_targets(self, call: Call) -> JsonObject:
        targets = self._store.world(call.place).scalable_targets
        wanted = call.get("ResourceIds") or list(targets)
        return {"ScalableTargets": [copy.deepcopy(targets[one]) for one in wanted if one in targets]}

    def deregister(self, call: Call) -> JsonObject:
        world, resource = self._store.world(call.place), self._registered(call)
        del world.scalable_targets[resource]
        world.scaling_policies.pop(resource, None)
        return {}

    def put_policy(self, call: Call) -> JsonObject:
        world, resource = self._store.world(call.place), self._registered(call)
        if call.get("PolicyType") != "TargetTrackingScaling":
            raise ApiError(
                "UnsupportedOperationException", "The laptop's AWS keeps target tracking policies alone.", 501
            )
        if not call.get("TargetTrackingScalingPolicyConfiguration"):
            raise invalid(
                "TargetTrackingScalingPolicyConfiguration is required for a policy of type TargetTrackingScaling."
            )
        policies = world.scaling_policies.setdefault(resource, {})
        arn = f"arn:aws:autoscaling:{call.place.region}:{call.place.account}:scalingPolicy:{_digest(resource)}:resource/sagemaker/"
        arn += f"{resource}:policyName/{call['PolicyName']}"
        policies[call["PolicyName"]] = {
            **copy.deepcopy(call.parameters),
            "PolicyARN": arn,
            "Alarms": [],
            "CreationTime": policies.get(call["PolicyName"], {}).get("CreationTime", self._cloud.now()),
        }
        return {"PolicyARN": arn, "Alarms": []}

    def describe_policies(self, call: Call) -> JsonObject:
        kept = self._store.world(call.place).scaling_policies
        resources = [call["ResourceId"]] if call.get("ResourceId") else list(kept)
        found = [policy for resource in resources for policy in kept.get(resource, {}).values()]
        names = call.get("PolicyNames")
        return {"ScalingPolicies": [copy.deepcopy(one) for one in found if not names or one["PolicyName"] in names]}

    def delete_policy(self, call: Call) -> JsonObject:
        policies = self._store.world(call.place).scaling_policies.get(call["ResourceId"], {})
        if policies.pop(call["PolicyName"], None) is None:
            raise ApiError("ObjectNotFoundException", f"No scaling policy found for {call['ResourceId']}.")
        return {}

    def further_checks(self, operation: str, parameters: object, place: Place) -> list[Check]:
        """What a caller needs beside the operation's own action.

        Source: "Identity-based policy examples" and "Service-linked roles" in the user guide of Application Auto Scaling. AWS asks
        for the service-linked role until it exists, and for the alarms of a policy whenever it makes or deletes them.
        """
        named = VARIANT.fullmatch(str(parameters.get("ResourceId", ""))) if isinstance(parameters, dict) else None
        if named is None:
            return []
        alarm = f"arn:aws:cloudwatch:{place.region}:{place.account}:alarm:TargetTracking-{named[0]}-AlarmHigh"
        if operation == "PutScalingPolicy":
            return [(f"cloudwatch:{what}", alarm, {}) for what in ("PutMetricAlarm", "DescribeAlarms", "DeleteAlarms")]
        if operation in ("DeregisterScalableTarget", "DeleteScalingPolicy"):
            return [("cloudwatch:DeleteAlarms", alarm, {})]
        if operation != "RegisterScalableTarget":
            return []
        endpoint = place.arn(f"endpoint/{named[1].lower()}")
        config = self._store.world(place).endpoints.get(named[1].lower(), {}).get("EndpointConfigName", "none")
        role = f"arn:aws:iam::{place.account}:{SERVICE_LINKED_ROLE}"
        return [
            ("sagemaker:DescribeEndpoint", endpoint, {}),
            ("sagemaker:DescribeEndpointConfig", place.arn(f"endpoint-config/{config.lower()}"), {}),
            ("sagemaker:UpdateEndpointWeightsAndCapacities", endpoint, {}),
            ("iam:CreateServiceLinkedRole", role, {"iam:AWSServiceName": f"sagemaker.{SERVICE}.amazonaws.com"}),
        ]

    def _registered(self, call: Call) -> str:
        resource = str(call["ResourceId"])
        if resource not in self._store.world(call.place).scalable_targets:
            raise ApiError("ObjectNotFoundException", f"No scalable target registered for {resource}.")
        return resource

    def _variant(self, call: Call) -> tuple[JsonObject, str]:
        named = VARIANT.fullmatch(call["ResourceId"])
        if named is None:
            raise invalid(f"Unsupported service namespace, resource type or scalable dimension: {call['ResourceId']}.")
        endpoint = self._store.world(call.place).endpoints.get(named[1].lower())
        if endpoint is None or endpoint["EndpointName"] != named[1]:
            raise invalid(f"SageMaker endpoint {named[1]} does not exist.")
        return endpoint, named[2]


def resource_arn(operation: str, parameters: JsonObject, place: Place) -> str:
    """The ARN that a policy's Resource is held against, or `*` where AWS has no resource level."""
    if operation.startswith("Describe"):
        return "*"
    return target_arn(place, str(parameters.get("ResourceId", "")))


def conditions(parameters: JsonObject) -> dict[str, str]:
    """The service's own condition keys of a call."""
    keys = {"service-namespace": "ServiceNamespace", "scalable-dimension": "ScalableDimension"}
    return {f"{SERVICE}:{key}": str(parameters[member]) for key, member in keys.items() if member in parameters}


def target_arn(place: Place, resource: str) -> str:
    """The ARN of a scalable target. On AWS its last part is random; here it follows from the resource, so that IAM can ask first."""
    return f"arn:aws:{SERVICE}:{place.region}:{place.account}:scalable-target/{_digest(resource)}"


def _digest(resource: str) -> str:
    return hashlib.sha256(resource.encode()).hexdigest()[:35]
