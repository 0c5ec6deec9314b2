"""Where and how a model is hosted, as a policy says it: its network, keys and tags, and what of its traffic is kept."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from lockkeeper.domain.section import S3Uri, Section

KmsKey = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9:/_-]+$", max_length=2048)]
SubnetId = Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-z]+$", max_length=32)]
SecurityGroupId = Annotated[str, StringConstraints(pattern=r"^sg-[0-9a-z]+$", max_length=32)]


TAG_KEY = re.compile(r"[\w\s.:/=+@-]{1,128}")
TagValue = Annotated[str, StringConstraints(pattern=r"^[\w\s.:/=+@-]*$", max_length=256)]


def _yours(tags: dict[str, str]) -> dict[str, str]:
    for key in tags:
        if not TAG_KEY.fullmatch(key):
            raise ValueError(f"{key[:40]!r} is no key of a tag: 1 to 128 letters, digits, spaces and _.:/=+-@")
        if key.startswith(("aws:", "lockkeeper:")):
            raise ValueError(f"{key[:40]!r}: tags of AWS and of releases are theirs; choose another key")
    return tags


Tags = Annotated[dict[str, TagValue], Field(max_length=40), AfterValidator(_yours)]


class Capture(Section):
    """What of requests and answers SageMaker writes to S3."""

    percent: Annotated[int, Field(ge=0, le=100)]
    to: S3Uri | None = None
    kms_key: KmsKey | None = None


class Vpc(Section):
    """The network of yours that the model's containers are in."""

    subnets: tuple[SubnetId, ...] = Field(min_length=1, max_length=16, strict=False)
    security_groups: tuple[SecurityGroupId, ...] = Field(min_length=1, max_length=5, strict=False)
