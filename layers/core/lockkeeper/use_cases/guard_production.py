"""The alarms that a release's version is watched by, and what a change of production that failed says about the version."""

from __future__ import annotations

from datetime import datetime

from lockkeeper.domain.alarms import MadeAlarm, Watched
from lockkeeper.domain.batch import BATCH
from lockkeeper.domain.ending import ROLL_BACK
from lockkeeper.domain.errors import DeploymentFailed, ReleaseStopped, ShiftFailed
from lockkeeper.domain.policy import Production
from lockkeeper.domain.release import Release, resource_name
from lockkeeper.domain.rollout import EndpointState, Seen, uneasy
from lockkeeper.domain.targets import SERVERLESS
from lockkeeper.domain.training_failure import NO_CAPACITY
from lockkeeper.ports import Endpoints, Wait, World


def made_alarms(release_id: str, production: Production) -> dict[str, MadeAlarm]:
    """The alarms that are made for a release, by their names."""
    return {
        resource_name(release_id, f"alarm-{number}-{made.label}"): made
        for number, made in enumerate(production.made_alarms, 1)
    }


def watched_alarms(release_id: str, production: Production) -> tuple[str, ...]:
    """Names of all alarms that watch a release's version."""
    return (*production.named_alarms, *made_alarms(release_id, production))


def guarding_alarms(release_id: str, production: Production) -> tuple[str, ...]:
    """Names of the alarms that SageMaker looks at during an update; none where it guards none, and they count in the bake alone."""
    return () if production.target in (SERVERLESS, BATCH) else watched_alarms(release_id, production)


def require_calm(release_id: str, production: Production, world: World) -> None:
    """SageMaker takes no update whose alarms are on, and nobody could tell whom they are about: leave production alone then."""
    made = tuple(made_alarms(release_id, production))
    states = world.production.alarm_states((*production.named_alarms, *made))
    went_off = [name for name in made if states[name] == "ALARM"]
    if went_off:
        # They see this release's fleet alone, so an earlier try of this state had shifted traffic.
        raise ShiftFailed(f"{', '.join(went_off)} went off in an earlier try to bring this version into production")
    why = uneasy({name: states[name] for name in production.named_alarms})
    if why:
        raise DeploymentFailed(
            f"{why}; nothing was changed",
            cure="bring the alarm to OK, or mend the policy, then `lockkeeper replay` the release",
        )


def make_alarms(release: Release, production: Production, fleet: Watched, world: World) -> None:
    """Make the release's alarms; repeating it makes the same again."""
    for name, made in made_alarms(release.release_id, production).items():
        description = f"Lockkeeper {release.release_id}: {made.what}, of configuration {fleet.config_name} alone"
        if made.dimensions is not None:
            description = f"Lockkeeper {release.release_id}: {made.what}"
        world.production.make_alarm(name, made, fleet, description[:1024])


def remove_version(release: Release, world: World) -> None:
    """Delete configurations, model and alarms of a version that production does not serve; gone already is fine."""
    name = resource_name(release.release_id, "production")
    shadow = (release.endpoints.get("production") or {}).get("shadow")
    if shadow:
        world.production.delete_config(shadow["config_name"])
    world.production.delete_config(name)
    world.production.delete_model(name)
    remove_alarms(release, world)


def remove_alarms(release: Release, world: World) -> None:
    """Delete the alarms that were made for a release; gone already is fine."""
    for name in (release.endpoints.get("production") or {}).get("alarms", ()):
        world.production.delete_alarm(name)


def by_hand(what: str) -> str:
    """The cure of a way back that failed: another try of the release would help nobody, production is what it is."""
    return f"{what} by hand, as the runbook says, then `lockkeeper unfreeze` the group"


def failed_change(wait: Wait, state: EndpointState | None, seen: Seen, endpoints: Endpoints) -> ReleaseStopped:
    """What a change that came to nothing says: of the deployment, or (where its alarms went off while it shifted) of the version."""
    if state is not None and state.status == "UpdateRollbackFailed":
        return ShiftFailed(
            f"{seen.reason}: it serves a mix of the old and the new version",
            cure="look whether the way back that follows brings it to InService; else update it by hand to what served before",
        )
    names = tuple(wait.details.get("alarms", ()))
    if names:
        looks = endpoints.alarms(names, datetime.fromisoformat(wait.details["since"]))
        went_off = [look.name for look in looks if look.state == "ALARM" or look.alarmed_since_start]
        if went_off:
            return ShiftFailed(
                f"{', '.join(went_off)} went off while traffic was moving to the new version: {seen.reason}",
                cure="find out what the alarm saw, then register a better version",
            )
    if wait.state == ROLL_BACK:
        return DeploymentFailed(seen.reason, cure=by_hand(f"bring {wait.details['config_name']} back"))
    if NO_CAPACITY.search(seen.reason):
        return DeploymentFailed(
            seen.reason, cure="wait, or let the policy name another instance_type, then `lockkeeper replay` the release"
        )
    return DeploymentFailed(seen.reason, cure="see the endpoint's log, then register a new version")
