"""What runs in production already: an endpoint in SageMaker's own words, and what kinds of it releases cannot update."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from lockkeeper.domain.targets import ASYNC, REAL_TIME, SERVERLESS

WORDS = {REAL_TIME: "real-time", SERVERLESS: "serverless", ASYNC: "asynchronous"}
CLOUDFORMATION = "aws:cloudformation:stack-name"
"""The tag of what a CloudFormation stack made, with the stack's name."""


@dataclass(frozen=True)
class Deployed:
    """The answers of DescribeEndpoint, DescribeEndpointConfig and DescribeModel (empty unless there is one model), and tags.

    `tags` are the endpoint's, `config_tags` its configuration's.
    """

    endpoint: dict[str, Any]
    config: dict[str, Any]
    model: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    config_tags: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.endpoint["EndpointName"])

    @property
    def config_name(self) -> str:
        return str(self.config["EndpointConfigName"])

    @property
    def variant(self) -> dict[str, Any]:
        """The first production variant of the configuration; releases have one."""
        return dict(self.config["ProductionVariants"][0])

    @property
    def instances(self) -> int:
        """How many instances the endpoint is to have now, whatever its configuration began with: it may have been scaled."""
        variants = self.endpoint.get("ProductionVariants") or [{}]
        return int(variants[0].get("DesiredInstanceCount") or self.variant.get("InitialInstanceCount") or 1)

    @property
    def stack(self) -> str:
        """Name of the CloudFormation stack that the endpoint belongs to; empty for none."""
        return self.tags.get(CLOUDFORMATION, "")

    @property
    def described(self) -> str:
        """DescribeEndpointConfig's answer as JSON: all of it but how the answer came to us."""
        told = {key: value for key, value in self.config.items() if key != "ResponseMetadata"}
        return json.dumps(told, default=str, sort_keys=True)


def kind_problems(config: dict[str, Any], target: str) -> list[str]:
    """What of an endpoint configuration no release with this target can update in place, each in words."""
    variants = config["ProductionVariants"]
    serverless = any("ServerlessConfig" in one for one in variants)
    kind = SERVERLESS if serverless else ASYNC if config.get("AsyncInferenceConfig") else REAL_TIME
    problems = {
        f"it has {len(variants)} production variants; releases have one": len(variants) != 1,
        "it has shadow variants": bool(config.get("ShadowProductionVariants")),
        f"it is {WORDS[kind]}": kind not in (REAL_TIME, target),
        f"it is not {WORDS[target]}, as the policy's target is": target not in (REAL_TIME, kind),
        "it serves inference components": any("ModelName" not in one for one in variants),
    }
    return [problem for problem, is_so in problems.items() if is_so]


def model_problems(model: dict[str, Any]) -> list[str]:
    """What of a model no release can replace, each in words."""
    containers = model.get("Containers") or [model.get("PrimaryContainer") or {}]
    problems = {
        "it is a multi-model endpoint": any(one.get("Mode") == "MultiModel" for one in containers),
        "it calls its containers one by one": (model.get("InferenceExecutionConfig") or {}).get("Mode") == "Direct",
    }
    return [problem for problem, is_so in problems.items() if is_so]


def why_not_taken_on(deployed: Deployed, target: str = REAL_TIME) -> list[str]:
    """Why an endpoint cannot become a champion, each in words; empty where it can."""
    status = deployed.endpoint["EndpointStatus"]
    unsettled = [] if status == "InService" else [f"it is {status}, not InService"]
    return [*unsettled, *kind_problems(deployed.config, target), *model_problems(deployed.model)]
