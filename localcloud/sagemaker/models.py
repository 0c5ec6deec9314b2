"""Models and endpoint configurations: what an endpoint is made of."""

import copy

from localcloud.sagemaker import images
from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject
from localcloud.sagemaker.errors import already_existing, could_not_find, invalid
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.packages import ModelPackages, check_data_source
from localcloud.sagemaker.store import Store, tag_map

CONFIG_KIND = "endpoint configuration"


class Models:
    """CreateModel and its kin."""

    def __init__(self, store: Store, cloud: Cloud, packages: ModelPackages) -> None:
        self._store = store
        self._cloud = cloud
        self._packages = packages

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModel": self.create,
            "DescribeModel": self.describe,
            "ListModels": self.list_page,
            "DeleteModel": self.delete,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._store.world(call.place), call["ModelName"]
        arn = call.place.arn(f"model/{name.lower()}")
        # Names that differ by their case alone would share an ARN.
        if arn in world.tags:
            raise already_existing("model", arn)
        if bool(call.get("PrimaryContainer")) == bool(call.get("Containers")):
            raise invalid("Exactly one of PrimaryContainer and Containers has to be given.")
        if not call.get("ExecutionRoleArn"):
            raise invalid("ExecutionRoleArn is required.")
        if not self._cloud.may_assume(call["ExecutionRoleArn"]):
            raise invalid(
                f"Could not assume role {call['ExecutionRoleArn']}. Please ensure that the role exists and allows "
                "principal 'sagemaker.amazonaws.com' to assume the role."
            )
        containers = [call["PrimaryContainer"]] if call.get("PrimaryContainer") else call["Containers"]
        for container in containers:
            self._check_container(call, container)
        _check_hostnames(containers)
        kept = {key: value for key, value in call.parameters.items() if key != "Tags"}
        world.models[name] = {**copy.deepcopy(kept), "ModelArn": arn, "CreationTime": self._cloud.now()}
        world.models[name].setdefault("EnableNetworkIsolation", False)
        world.tags[arn] = tag_map(call.get("Tags"))
        return {"ModelArn": arn}

    def _check_container(self, call: Call, container: JsonObject) -> None:
        if bool(container.get("Image")) == bool(container.get("ModelPackageName")):
            raise invalid("A container needs either an Image or a ModelPackageName.")
        if container.get("ModelPackageName"):
            _, package = self._packages.find(call, container["ModelPackageName"])
            if package.get("ModelApprovalStatus", "Approved") != "Approved":
                raise invalid(
                    f"Cannot create a model with model package {package['ModelPackageArn']}: "
                    f"it is {package['ModelApprovalStatus']}, must be Approved to deploy."
                )
        elif images.parse(container["Image"]) is None:
            raise invalid(
                f"The image {container['Image']} is neither registry/repository:tag nor "
                "registry/repository@sha256:digest."
            )
        check_data_source(container)

    def describe(self, call: Call) -> JsonObject:
        return copy.deepcopy(self._find(call))

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._store.world(call.place).models.values(),
            name="ModelName",
            summary=lambda model: {key: model[key] for key in ("ModelName", "ModelArn", "CreationTime")},
            answer="Models",
        )

    def delete(self, call: Call) -> JsonObject:
        model, world = self._find(call), self._store.world(call.place)
        del world.models[model["ModelName"]]
        world.tags.pop(model["ModelArn"], None)
        return {}

    def _find(self, call: Call) -> JsonObject:
        model = self._store.world(call.place).models.get(call["ModelName"])
        if model is None:
            raise could_not_find("model", call.place.arn(f"model/{call['ModelName'].lower()}"))
        return model


def _check_hostnames(containers: list[JsonObject]) -> None:
    """Either every container of a pipeline has a name of its own, or none has one."""
    named = [container["ContainerHostname"] for container in containers if container.get("ContainerHostname")]
    if named and len(set(named)) < len(containers):
        raise invalid("Each container of an inference pipeline needs a ContainerHostname of its own, or none has one.")


class EndpointConfigs:
    """CreateEndpointConfig and its kin."""

    def __init__(self, store: Store, cloud: Cloud) -> None:
        self._store = store
        self._cloud = cloud

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateEndpointConfig": self.create,
            "DescribeEndpointConfig": self.describe,
            "ListEndpointConfigs": self.list_page,
            "DeleteEndpointConfig": self.delete,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._store.world(call.place), call["EndpointConfigName"]
        arn = call.place.arn(f"endpoint-config/{name.lower()}")
        if arn in world.tags:
            raise already_existing(CONFIG_KIND, arn)
        variants = call["ProductionVariants"]
        names = [variant["VariantName"] for variant in (*variants, *(call.get("ShadowProductionVariants") or []))]
        if len(set(names)) < len(names):
            raise invalid("The variants of an endpoint configuration need different names.")
        shadows = call.get("ShadowProductionVariants") or []
        if shadows and (len(shadows) > 1 or len(variants) > 1):
            raise invalid("A shadow variant goes with exactly one production variant, and is the only one.")
        for variant in (*variants, *shadows):
            self._check_variant(call, variant)
            if shadows and variant.get("ServerlessConfig"):
                raise invalid("Serverless variants have no shadow variants.")
        kept = copy.deepcopy({key: value for key, value in call.parameters.items() if key != "Tags"})
        for variant in (*kept["ProductionVariants"], *kept.get("ShadowProductionVariants", [])):
            variant.setdefault("InitialVariantWeight", 1.0)
        world.configs[name] = {**kept, "EndpointConfigArn": arn, "CreationTime": self._cloud.now()}
        world.tags[arn] = tag_map(call.get("Tags"))
        return {"EndpointConfigArn": arn}

    def _check_variant(self, call: Call, variant: JsonObject) -> None:
        name = variant["VariantName"]
        if not variant.get("ModelName"):
            raise invalid(f"ModelName is required for variant {name}: inference components are not served locally.")
        if variant["ModelName"] not in self._store.world(call.place).models:
            raise could_not_find("model", call.place.arn(f"model/{variant['ModelName'].lower()}"))
        if variant.get("ServerlessConfig"):
            self._check_serverless(call, variant)
        elif not variant.get("InstanceType") or not variant.get("InitialInstanceCount"):
            raise invalid(f"InstanceType and InitialInstanceCount are required for variant {name}.")

    def _check_serverless(self, call: Call, variant: JsonObject) -> None:
        """What serverless variants cannot have. Source: "Feature exclusions" of Serverless Inference, SageMaker developer guide."""
        name, model = variant["VariantName"], self._store.world(call.place).models[variant["ModelName"]]
        for what, found in (
            ("instances", variant.get("InstanceType") or variant.get("InitialInstanceCount")),
            ("data capture", call.get("DataCaptureConfig")),
            ("an asynchronous configuration", call.get("AsyncInferenceConfig")),
            ("other variants beside it", len(call["ProductionVariants"]) > 1 or call.get("ShadowProductionVariants")),
            ("a VPC", model.get("VpcConfig") or call.get("VpcConfig")),
            ("network isolation", model.get("EnableNetworkIsolation") or call.get("EnableNetworkIsolation")),
            ("containers in series", len(model.get("Containers") or []) > 1),
        ):
            if found:
                raise invalid(f"Variant {name} is serverless: it cannot have {what}.")
        sizes = variant["ServerlessConfig"]
        if sizes.get("ProvisionedConcurrency", 0) > sizes["MaxConcurrency"]:
            raise invalid(f"Variant {name}: ProvisionedConcurrency must not exceed MaxConcurrency.")

    def describe(self, call: Call) -> JsonObject:
        return copy.deepcopy(self._find(call))

    def list_page(self, call: Call) -> JsonObject:
        members = ("EndpointConfigName", "EndpointConfigArn", "CreationTime")
        return select(
            call,
            self._store.world(call.place).configs.values(),
            name="EndpointConfigName",
            summary=lambda config: {key: config[key] for key in members},
            answer="EndpointConfigs",
        )

    def delete(self, call: Call) -> JsonObject:
        config, world = self._find(call), self._store.world(call.place)
        del world.configs[config["EndpointConfigName"]]
        world.tags.pop(config["EndpointConfigArn"], None)
        return {}

    def _find(self, call: Call) -> JsonObject:
        config = self._store.world(call.place).configs.get(call["EndpointConfigName"])
        if config is None:
            name = call["EndpointConfigName"]
            raise could_not_find(CONFIG_KIND, call.place.arn(f"endpoint-config/{name.lower()}"))
        return config
