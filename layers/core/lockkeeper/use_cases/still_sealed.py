"""The look at sealed folders before a model is made of them."""

from __future__ import annotations

import hashlib

from lockkeeper.domain.errors import PinBroken
from lockkeeper.domain.folder import difference, sealed_in
from lockkeeper.domain.release import Release
from lockkeeper.ports import World

TAMPERED = "find out who can write to Lockkeeper's bucket, then register a new version"
"""What to do where the bucket holds something else than what was scanned."""


def still_sealed(release: Release, world: World) -> None:
    """Raise `PinBroken` unless every pinned folder holds exactly the objects that were scanned.

    An archive needs no such look: its one key is its hash, and nothing beside it is served.
    """
    for pin in release.pins.artifacts:
        if not pin.manifest:
            continue
        manifest = world.objects.read_own(world.objects.key_of(pin.manifest))
        if manifest is None or hashlib.sha256(manifest).hexdigest() != pin.sha256:
            raise PinBroken(f"the manifest {pin.manifest} is not the one this release is pinned to", cure=TAMPERED)
        there = world.objects.own_listing(world.objects.key_of(pin.pinned), most=pin.objects + 1)
        changed = difference(sealed_in(manifest), there)
        if changed:
            raise PinBroken(f"{pin.pinned} is not what was scanned any more ({changed})", cure=TAMPERED)
