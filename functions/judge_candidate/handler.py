"""JudgeCandidate: every offline gate, sealed as the dossier `judged`."""

from typing import Any

from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import Event, release_state
from lockkeeper.use_cases.judge_candidate import judge_candidate


@release_state("JudgeCandidate")
def handler(event: Event, world: AwsWorld) -> Any:
    judge_candidate(event["release_id"], world)
