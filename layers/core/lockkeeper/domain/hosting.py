"""How production hosts a version: as the policy says, and, where it says nothing, as what serves is hosted already."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lockkeeper.domain.deployed import Deployed

if TYPE_CHECKING:
    from lockkeeper.domain.placement import Capture
    from lockkeeper.domain.policy import Production

VARIANT = "AllTraffic"
"""The production variant where nothing serves yet. It keeps the name that it has: a guarded update wants the same names."""

OF_THE_VERSION = frozenset(
    {"VariantName", "ModelName", "InstanceType", "InitialInstanceCount", "InitialVariantWeight", "ServerlessConfig"}
)
"""Members of a production variant that are a release's own; the others are kept as they are."""
NOT_OURS = ("aws:", "lockkeeper:")
"""Tags that AWS, or a release, has put on: nobody carries them over."""


WITHOUT: dict[str, Any] = {
    "instance_type": "",
    "initial_instances": 1,
    "kms_key": "",
    "capture": {},
    "vpc": {},
    "network_isolation": False,
    "tags": {},
}
"""What a policy that leaves these out comes to where nothing serves yet."""


@dataclass(frozen=True)
class Hosting:
    """What a model and an endpoint configuration are made with beside containers and role, in SageMaker's own members.

    `kept` names what came from what serves, `config_name` the configuration that it came from (both empty where nothing serves).
    """

    instance_type: str = ""
    initial_instances: int = 1
    variant: str = VARIANT
    variant_settings: dict[str, Any] = field(default_factory=dict)
    kms_key: str = ""
    capture: dict[str, Any] = field(default_factory=dict)
    vpc: dict[str, Any] = field(default_factory=dict)
    network_isolation: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    config_name: str = ""
    kept: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "kept": list(self.kept)}

    @property
    def words(self) -> str:
        """What was kept of what serves, as people read it; empty where nothing was."""
        return f"{', '.join(self.kept)} as in {self.config_name}" if self.kept else ""


def hosting_from(document: dict[str, Any]) -> Hosting:
    """What `to_json` gave."""
    return Hosting(**{**document, "kept": tuple(document.get("kept", ()))})


def hosting_of(production: Production, deployed: Deployed | None, captured: str) -> Hosting:
    """Put the policy and what serves together. What the policy leaves out is kept; what it sets to null is taken off.

    `captured` is the `s3://` folder of what is captured where the policy names none.
    """
    said = {name: value for name, value in _said(production, captured).items() if name in production.model_fields_set}
    found = {} if deployed is None else _found(deployed)
    # What the policy says, and what would be so without what serves, is nothing that was kept.
    kept = {name: value for name, value in found.items() if name not in said and value != WITHOUT[name]}
    settings: dict[str, Any] = {"instance_type": "", **kept, **said}
    place: dict[str, Any] = {}
    if deployed is not None:
        settings_of_variant = {key: value for key, value in deployed.variant.items() if key not in OF_THE_VERSION}
        place = {
            "variant": deployed.variant["VariantName"],
            "variant_settings": settings_of_variant,
            "config_name": deployed.config_name,
            "kept": tuple(sorted([*kept, *settings_of_variant])),
        }
    return Hosting(**settings, **place)


def staging_hosting(hosting: Hosting, serverless: bool, same_account: bool) -> Hosting:
    """How staging hosts the version: on production's networks and keys where it has them, and without capturing its tests.

    A serverless endpoint has neither a network nor a setting of an instance.
    """
    if serverless:
        return Hosting(tags=hosting.tags)
    shared: dict[str, Any] = {"vpc": hosting.vpc, "kms_key": hosting.kms_key} if same_account else {}
    isolated = hosting.network_isolation
    return Hosting(variant_settings=hosting.variant_settings, network_isolation=isolated, tags=hosting.tags, **shared)


def _said(production: Production, captured: str) -> dict[str, Any]:
    vpc = production.vpc
    return {
        "instance_type": production.instance_type or "",
        "initial_instances": production.initial_instances,
        "kms_key": production.kms_key or "",
        "capture": _capture(production.capture, captured) if production.capture else {},
        "vpc": {"Subnets": list(vpc.subnets), "SecurityGroupIds": list(vpc.security_groups)} if vpc else {},
        "network_isolation": bool(production.network_isolation),
        "tags": dict(production.tags or {}),
    }


def _found(deployed: Deployed) -> dict[str, Any]:
    config, model, variant = deployed.config, deployed.model, deployed.variant
    return {
        "instance_type": variant.get("InstanceType", ""),
        "initial_instances": deployed.instances,
        "kms_key": config.get("KmsKeyId", ""),
        "capture": config.get("DataCaptureConfig") or {},
        "vpc": model.get("VpcConfig") or {},
        "network_isolation": bool(model.get("EnableNetworkIsolation")),
        "tags": {key: value for key, value in deployed.config_tags.items() if not key.startswith(NOT_OURS)},
    }


def _capture(capture: Capture, captured: str) -> dict[str, Any]:
    key = {"KmsKeyId": capture.kms_key} if capture.kms_key else {}
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percent,
        "DestinationS3Uri": capture.to or captured,
        **key,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    }
