"""What anybody can do with a release's dossier: judge its evidence again, without AWS, and hold that against what was said."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from lockkeeper.domain.simulation import Simulation, simulate
from lockkeeper.use_cases.braked import brakes_on
from lockkeeper.use_cases.read_dossiers import read_dossiers, to_json

from cli.policies import read_policy
from cli.simulate_command import nothing_else, scanned, what_was_recorded
from cli.story.stage import Stage


def second_look(stage: Stage, release_id: str, policy_text: str) -> Simulation:
    """What `lockkeeper simulate --dossier --artifact --policy` says of a release: reports, measurements and artifact anew."""
    with tempfile.TemporaryDirectory() as folder:
        policy, shown, artifact = (Path(folder) / name for name in ("policy.yaml", "release.json", "model.tar.gz"))
        policy.write_text(policy_text, encoding="utf-8")
        world = stage.stack.world
        release = world.ledger.get(release_id)
        document = to_json(release, read_dossiers(release, world), brakes_on(release, world))
        shown.write_text(json.dumps(document), encoding="utf-8")
        event, known = what_was_recorded(shown)
        container = (known.description or {})["InferenceSpecification"]["Containers"][0]
        artifact.write_bytes(stage.read(container["ModelDataUrl"]))
        rules = read_policy(policy).policy
        known = replace(known, artifact=scanned(artifact, rules.gates.artifact))
        return simulate(event, rules, known, nothing_else)
