"""Endpoint operations: what is answered at once, and what is handed to a deployment."""

import copy

from localcloud.sagemaker import rollout, scalable_targets
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.deployments import Deployments, smallest_variant
from localcloud.sagemaker.errors import already_existing, could_not_find, invalid
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.models import CONFIG_KIND
from localcloud.sagemaker.store import Store, tag_map

SETTLED = ("InService", "Failed", "OutOfService", "UpdateRollbackFailed")
SUMMARY = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")


class Endpoints:
    """CreateEndpoint and its kin. Endpoint names differ by more than their case."""

    def __init__(self, store: Store, cloud: Cloud, deployments: Deployments) -> None:
        self._store = store
        self._cloud = cloud
        self._deployments = deployments

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateEndpoint": self.create,
            "UpdateEndpoint": self.update,
            "UpdateEndpointWeightsAndCapacities": self.update_weights,
            "DescribeEndpoint": self.describe,
            "ListEndpoints": self.list_page,
            "DeleteEndpoint": self.delete,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._store.world(call.place), call["EndpointName"]
        arn = call.place.arn(f"endpoint/{name.lower()}")
        if name.lower() in world.endpoints:
            raise already_existing("endpoint", arn)
        config = self._config(call)
        now = self._cloud.now()
        endpoint: JsonObject = {
            "EndpointName": name,
            "EndpointArn": arn,
            "EndpointConfigName": config["EndpointConfigName"],
            "EndpointStatus": "Creating",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        if call.get("DeploymentConfig"):
            # Creating moves no traffic; an update that retains the configuration does.
            endpoint["LastDeploymentConfig"] = copy.deepcopy(call["DeploymentConfig"])
        if config.get("AsyncInferenceConfig"):
            endpoint["AsyncInferenceConfig"] = config["AsyncInferenceConfig"]
        world.endpoints[name.lower()] = endpoint
        world.tags[arn] = tag_map(call.get("Tags"))
        self._deployments.start_create(call.place, endpoint, config)
        return {"EndpointArn": arn}

    def update(self, call: Call) -> JsonObject:
        endpoint = self._settled(call)
        config, deployment = self._config(call), call.get("DeploymentConfig")
        present = [variant["VariantName"] for variant in endpoint.get("ProductionVariants", [])]
        variants = config["ProductionVariants"]
        keep = bool(call.get("RetainAllVariantProperties"))
        scalable_targets.check_update(self._store.world(call.place), endpoint, config)
        _check_queue(endpoint, config)
        _check_serverless(endpoint, variants, deployment)
        if deployment:
            rollout.check(deployment, smallest_variant(endpoint, config, keep=keep))
            if present and sorted(present) != sorted(variant["VariantName"] for variant in variants):
                raise invalid("The variant names must stay the same in an update with a DeploymentConfig.")
        elif call.get("RetainDeploymentConfig"):
            deployment = endpoint.get("LastDeploymentConfig")
        self._begin(endpoint, "Updating")
        self._deployments.start_update(call.place, endpoint, config, copy.deepcopy(deployment), keep=keep)
        return {"EndpointArn": endpoint["EndpointArn"]}

    def update_weights(self, call: Call) -> JsonObject:
        endpoint = self._settled(call)
        known = {variant["VariantName"]: variant for variant in endpoint.get("ProductionVariants", [])}
        for desired in call["DesiredWeightsAndCapacities"]:
            if desired["VariantName"] not in known:
                raise invalid(f"The variant {desired['VariantName']} is not one of {endpoint['EndpointArn']}.")
        self._begin(endpoint, "Updating")
        self._deployments.start_resize(call.place, endpoint, copy.deepcopy(call["DesiredWeightsAndCapacities"]))
        return {"EndpointArn": endpoint["EndpointArn"]}

    def describe(self, call: Call) -> JsonObject:
        described = copy.deepcopy(self._find(call))
        if described["EndpointStatus"] == "Creating":
            described.pop("ProductionVariants", None)
        return described

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._store.world(call.place).endpoints.values(),
            name="EndpointName",
            status="EndpointStatus",
            summary=lambda endpoint: {key: endpoint[key] for key in SUMMARY},
            answer="Endpoints",
        )

    def delete(self, call: Call) -> JsonObject:
        endpoint = self._settled(call)
        self._begin(endpoint, "Deleting")
        self._deployments.start_delete(call.place, endpoint)
        return {}

    def _begin(self, endpoint: JsonObject, status: str) -> None:
        endpoint |= {"EndpointStatus": status, "LastModifiedTime": self._cloud.now()}
        endpoint.pop("FailureReason", None)

    def _config(self, call: Call) -> JsonObject:
        name = call["EndpointConfigName"]
        config = self._store.world(call.place).configs.get(name)
        if config is None:
            raise could_not_find(CONFIG_KIND, call.place.arn(f"endpoint-config/{name.lower()}"))
        return copy.deepcopy(config)

    def _settled(self, call: Call) -> JsonObject:
        """The endpoint, unless a change to it is under way."""
        endpoint = self._find(call)
        if endpoint["EndpointStatus"] not in SETTLED:
            raise invalid(f'Cannot update in-progress endpoint "{endpoint["EndpointArn"]}".')
        return endpoint

    def _find(self, call: Call) -> JsonObject:
        return find_endpoint(self._store, call.place, call["EndpointName"])


def _check_queue(endpoint: JsonObject, config: JsonObject) -> None:
    """AWS documents no way from an asynchronous endpoint to one that answers at once, nor back; here there is none."""
    if bool(endpoint.get("AsyncInferenceConfig")) != bool(config.get("AsyncInferenceConfig")):
        raise invalid(f"{endpoint['EndpointArn']} cannot change whether it is asynchronous.")


def _check_serverless(endpoint: JsonObject, variants: list[JsonObject], deployment: JsonObject | None) -> None:
    """Serverless endpoints move at once, and instances do not become serverless. Source: as `EndpointConfigs`, and "Serverless endpoint
    operations"."""
    if not any(variant.get("ServerlessConfig") for variant in variants):
        return
    if deployment:
        raise invalid("A DeploymentConfig is not supported for serverless endpoints.")
    if any("CurrentInstanceCount" in variant for variant in endpoint.get("ProductionVariants", [])):
        raise invalid(f"{endpoint['EndpointArn']} has instances; it cannot become serverless.")


def find_endpoint(store: Store, place: Place, name: str) -> JsonObject:
    """An endpoint's document. Raises ApiError when there is none of that name."""
    endpoint = store.world(place).endpoints.get(name.lower())
    if endpoint is None:
        raise could_not_find("endpoint", place.arn(f"endpoint/{name.lower()}"))
    return endpoint
