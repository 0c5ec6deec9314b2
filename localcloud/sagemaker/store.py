"""What the local SageMaker remembers: one world per account and region, of plain JSON documents."""

import secrets
import string
import threading
from collections import defaultdict
from dataclasses import dataclass, field

from localcloud.sagemaker.cloud import JsonObject, Place

Documents = dict[str, JsonObject]


@dataclass
class World:
    """The resources of one account in one region, by name. Tags are kept by ARN, tokens by operation and token.

    Scalable targets are kept by resource id, scaling policies by that and their name.
    """

    groups: Documents = field(default_factory=dict)
    packages: Documents = field(default_factory=dict)
    models: Documents = field(default_factory=dict)
    configs: Documents = field(default_factory=dict)
    endpoints: Documents = field(default_factory=dict)
    training_jobs: Documents = field(default_factory=dict)
    tuning_jobs: Documents = field(default_factory=dict)
    processing_jobs: Documents = field(default_factory=dict)
    pipelines: Documents = field(default_factory=dict)
    executions: Documents = field(default_factory=dict)
    scalable_targets: Documents = field(default_factory=dict)
    scaling_policies: dict[str, Documents] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)


class Store:
    """All worlds, behind one lock: whoever reads and then writes holds it."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._worlds: defaultdict[Place, World] = defaultdict(World)

    def world(self, place: Place) -> World:
        """The world of a place; it is empty at first."""
        with self.lock:
            return self._worlds[place]


def new_id(length: int = 12) -> str:
    """A random name of lower-case letters and digits, as SageMaker gives to executions and job suffixes."""
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


def tag_map(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """`[{"Key": k, "Value": v}]` as `{k: v}`."""
    return {tag["Key"]: tag["Value"] for tag in tags or []}
