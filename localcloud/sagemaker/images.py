"""The image catalogue: which of AWS's containers the laptop can stand in for, and how.

There is no Docker here, so an image is not pulled: its framework is run in a process. What the catalogue does not know
is refused by name; a generic stand-in would serve something that the real container does not.
"""

import hashlib
import re
from dataclasses import dataclass

from localcloud.sagemaker.errors import WorkFailedError

IMAGE = re.compile(
    r"^(?P<registry>[^/]+)/(?P<repository>[^@:]+)(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[\w.\-]+))$"
)


@dataclass(frozen=True)
class Framework:
    """A container the laptop stands in for.

    `requirement` is what pip installs, on demand, into an environment of its own; an empty one means the environment
    of the laptop's AWS has it.
    """

    repository: str
    name: str
    requirement: str
    serves_without_script: bool


CATALOGUE = {
    framework.repository: framework
    for framework in (
        Framework("sagemaker-scikit-learn", "scikit-learn", "", serves_without_script=False),
        Framework("sagemaker-xgboost", "xgboost", "xgboost-cpu==3.2.0", serves_without_script=True),
    )
}


def parse(image: str) -> re.Match[str] | None:
    """The parts of `registry/repository:tag` or `registry/repository@sha256:digest`; None for anything else."""
    return IMAGE.match(image)


def framework_of(image: str) -> Framework:
    """The framework that stands in for an image.

    Raises WorkFailedError, which names the container and what there is, for every other image.
    """
    parts = parse(image)
    repository = parts["repository"] if parts else image
    framework = CATALOGUE.get(repository)
    if framework is None:
        raise WorkFailedError(
            f"ClientError: the laptop's AWS cannot run the container {repository} ({image}). "
            f"It stands in for these: {', '.join(sorted(CATALOGUE))}."
        )
    return framework


def digest_of(image: str) -> str | None:
    """The digest of an image of the catalogue: the same for the same repository and tag, on every laptop.

    It is a name for the stand-in, not the digest of AWS's image. None for images that the catalogue does not know.
    """
    parts = parse(image)
    if parts is None or parts["repository"] not in CATALOGUE:
        return None
    named = f"{parts['repository']}:{parts['tag']}"
    return parts["digest"] or f"sha256:{hashlib.sha256(named.encode()).hexdigest()}"
