"""Which variants are scalable targets, and what that forbids: shared by endpoints and Application Auto Scaling."""

import re

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import invalid
from localcloud.sagemaker.store import World

VARIANT = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
"""A scalable target's resource id."""


def instance_types(world: World, config_name: str) -> dict[str, str]:
    """The instance type of each variant of a configuration; nothing for one that is gone."""
    config = world.configs.get(config_name, {"ProductionVariants": []})
    return {one["VariantName"]: one.get("InstanceType", "") for one in config["ProductionVariants"]}


def check_update(world: World, endpoint: JsonObject, config: JsonObject) -> None:
    """Raise ApiError where an update would change the instance type of a scalable variant, or take the variant away."""
    old, new = (
        instance_types(world, endpoint["EndpointConfigName"]),
        instance_types(world, config["EndpointConfigName"]),
    )
    for variant in scaled_variants(world, endpoint):
        if old.get(variant, new.get(variant)) != new.get(variant):
            raise invalid(
                f"The instance type of variant {variant} of {endpoint['EndpointArn']} cannot change while it is registered "
                "with Application Auto Scaling. Deregister it as a scalable target first."
            )


def scaled_variants(world: World, endpoint: JsonObject) -> list[str]:
    """The names of an endpoint's variants that are scalable targets."""
    named = (VARIANT.fullmatch(resource) for resource in world.scalable_targets)
    return [one[2] for one in named if one and one[1] == endpoint["EndpointName"]]


def forget(world: World, endpoint: JsonObject) -> None:
    """The scalable targets of an endpoint go with it."""
    for variant in scaled_variants(world, endpoint):
        resource = f"endpoint/{endpoint['EndpointName']}/variant/{variant}"
        del world.scalable_targets[resource]
        world.scaling_policies.pop(resource, None)
