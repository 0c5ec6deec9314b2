"""Keep the baseline of a version that serves: once, so that what traffic is held against does not move with it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from lockkeeper.domain.baseline import CURE, baseline_source
from lockkeeper.domain.errors import EvidenceMissing
from lockkeeper.domain.monitor_rules import Monitor
from lockkeeper.domain.policy import Policy
from lockkeeper.domain.release import Release
from lockkeeper.ports import World

LARGEST = 64 << 20
MANIFEST = "kept.json"
FOLDER = "files"


@dataclass(frozen=True)
class KeptBaseline:
    """A baseline in Lockkeeper's bucket: `folder` is its address, `sha256` the hashes of its files; or why there is none."""

    folder: str = ""
    sha256: dict[str, str] = field(default_factory=dict)
    missing: str = ""


def keep_baseline(release: Release, policy: Policy, monitor: Monitor, world: World) -> KeptBaseline:
    """The baseline of a release, kept when it is first wanted. One that cannot be had is looked for again the next time."""
    description = world.registry.describe(release.model_package_arn) or {}
    source = baseline_source(description, policy, monitor, release.version)
    if source is None:
        return KeptBaseline(missing=f"{release.release_id} has no baseline; {CURE}")
    # Another source is another baseline: what was kept of the first stays as it was.
    of_source = hashlib.sha256(json.dumps(source.files, sort_keys=True).encode()).hexdigest()[:12]
    place = f"monitoring/{release.model_package_group}/baselines/{release.release_id}/{of_source}"
    kept = world.objects.read_own(f"{place}/{MANIFEST}")
    if kept is not None:
        return KeptBaseline(world.objects.address_of(f"{place}/{FOLDER}"), json.loads(kept)["sha256"])
    hashes = {}
    for name, uri in source.files.items():
        try:
            raw = world.objects.read(uri, max_bytes=LARGEST)
        except EvidenceMissing as error:
            return KeptBaseline(missing=f"{source.where}: {error}")
        hashes[name] = hashlib.sha256(raw).hexdigest()
        world.objects.write(
            f"{place}/{FOLDER}/{name}", raw, "text/csv" if name.endswith(".csv") else "application/json"
        )
    about = {"release_id": release.release_id, "source": source.files, "where": source.where, "sha256": hashes}
    # Last: a baseline is kept when it is whole.
    world.objects.write(f"{place}/{MANIFEST}", json.dumps(about).encode(), "application/json")
    return KeptBaseline(world.objects.address_of(f"{place}/{FOLDER}"), hashes)
