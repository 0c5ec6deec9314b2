"""Every five minutes: what nobody came back to is looked after, said in the log and counted."""

from collections import Counter
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.events import Unusable, quiet_before_a_look, wants_cleanup
from lockkeeper.entry import Event, logger, metrics, reaction
from lockkeeper.use_cases.keep_house import QUIET, Kind, keep_house


@reaction("KeepHouse")
def handler(event: Event, world: AwsWorld) -> Any:
    """`quiet_seconds` in the event looks sooner than usual: 0 looks at every unfinished release now."""
    quiet = quiet_before_a_look(event, QUIET)
    if isinstance(quiet, Unusable):
        logger.warning(f"ignored: {quiet.reason}")
        return []
    found = keep_house(quiet, world, cleanup=wants_cleanup(event))
    counted = Counter(one.kind for one in found)
    stranded = len(found) - sum(counted[kind] for kind in (Kind.PROBLEM, Kind.REMINDED, Kind.CLEANUP))
    metrics.add_metric(name="Stranded", unit=MetricUnit.Count, value=stranded)
    metrics.add_metric(name="HouseKeepingProblem", unit=MetricUnit.Count, value=counted[Kind.PROBLEM])
    for one in found:
        log = {Kind.PROBLEM: logger.error, Kind.REMINDED: logger.info, Kind.CLEANUP: logger.info}.get(
            one.kind, logger.warning
        )
        log(f"{one.kind}: {one.what}")
    logger.info(f"{len(found)} found")
    return [{"kind": str(one.kind), "what": one.what} for one in found]
