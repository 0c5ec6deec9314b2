"""Endpoints of before Lockkeeper, for a world in memory."""

from __future__ import annotations

from typing import Any

from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.adapters.in_memory.endpoints import Endpoint
from lockkeeper.domain.deployed import Deployed
from lockkeeper.domain.rollout import EndpointState

CAPTURE = {"EnableCapture": True, "InitialSamplingPercentage": 20, "DestinationS3Uri": "s3://captured/wages"}
VPC = {"Subnets": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}
KEY = "arn:aws:kms:eu-central-1:333333333333:key/of-before"


def foreign(name: str, config_name: str = "by-hand", *, stack: str = "", scaled_to: int = 3, **config: Any) -> Deployed:
    """An endpoint with everything on it that a release of ours has not, unless `config` says otherwise."""
    variant = {
        "VariantName": "primary",
        "ModelName": "by-hand",
        "InstanceType": "ml.c5.large",
        "InitialInstanceCount": 2,
        "InitialVariantWeight": 1.0,
        "VolumeSizeInGB": 30,
        "ContainerStartupHealthCheckTimeoutInSeconds": 600,
    }
    return Deployed(
        endpoint={
            "EndpointName": name,
            "EndpointStatus": "InService",
            "ProductionVariants": [{"VariantName": "primary", "DesiredInstanceCount": scaled_to}],
        },
        config={
            "EndpointConfigName": config_name,
            "ProductionVariants": [variant],
            "DataCaptureConfig": CAPTURE,
            "KmsKeyId": KEY,
            **config,
        },
        model={"ModelName": "by-hand", "VpcConfig": VPC, "EnableNetworkIsolation": True, "PrimaryContainer": {}},
        tags={"aws:cloudformation:stack-name": stack} if stack else {},
        config_tags={"team": "wages", "aws:created-by": "somebody", "lockkeeper:release": "another"},
    )


def serve(world: InMemoryWorld, deployed: Deployed) -> None:
    """From now on this serves in production."""
    production, name = world.production, deployed.name
    production.configs[deployed.config_name] = {"model": "by-hand"}
    state = EndpointState(name, production.arn_of(name), str(deployed.endpoint["EndpointStatus"]), deployed.config_name)
    production.endpoints[name] = Endpoint(state)
    world.production_look.foreign[deployed.config_name] = deployed
    world.production_look.keys[KEY] = "Enabled"
