"""What ends a release, what is tried again, and which status each error leaves behind.

The class name is the error name in the state machine: `Retry` and `Catch` in `release.asl.yaml` match on it.
"""

from __future__ import annotations


class LockkeeperError(Exception):
    """Base of every error Lockkeeper raises itself; `cure` says what a person can do about it."""

    def __init__(self, message: str, *, cure: str = "") -> None:
        super().__init__(f"{message} — {cure}" if cure else message)
        self.message = message
        self.cure = cure


class TryAgain(LockkeeperError):
    """The world is not ready (an endpoint is still changing); the state machine retries with backoff."""


class JobEnded(LockkeeperError):
    """The job that a state waits for has ended; the state machine enters the state again, and it judges what the job left."""


class ReleaseStopped(LockkeeperError):
    """Base of everything that ends a release without promoting it."""


class CandidateInvalid(ReleaseStopped):
    """The model package cannot be released: missing, incomplete or contradictory."""


class ModelUnsupported(ReleaseStopped):
    """A kind of model this version of Lockkeeper refuses by name."""


class PolicyMissing(ReleaseStopped):
    """The model package group has no policy."""


class PolicyInvalid(ReleaseStopped):
    """The policy is refused; the message has one line per mistake, with its place."""


class EvidenceMissing(ReleaseStopped):
    """A report, data set or artifact that a gate needs cannot be read."""


class ArtifactRefused(ReleaseStopped):
    """The artifact is unreadable, too large or not what it says it is."""


class PinBroken(ReleaseStopped):
    """What is kept of an artifact is not what was scanned: somebody else writes to Lockkeeper's bucket."""


class GateFailed(ReleaseStopped):
    """At least one gate measured a value that the policy does not allow."""


class PreflightFailed(ReleaseStopped):
    """Production cannot take any version as it is, or may not cost what it would: nothing that says something about this one."""


class GateInconclusive(ReleaseStopped):
    """At least one gate could not be decided; inconclusive is not passed."""


class Observed(ReleaseStopped):
    """The policy's mode is `observe`: the gates have spoken, and nothing is deployed or stamped."""


class ReleaseRejected(ReleaseStopped):
    """A person who may decide said no."""


class ReleaseSuperseded(ReleaseStopped):
    """A newer version of the same group took this one's place before production had begun."""


class VersionHeld(ReleaseStopped):
    """The version was rolled back before and is held until a person lifts the hold."""


class GroupFrozen(ReleaseStopped):
    """A person, the policy or a failed rollback lets no production change of the group begin; the next attempt waits for that to end."""


class RollbackRequested(ReleaseStopped):
    """A person wants back what served before."""


class DeploymentFailed(ReleaseStopped):
    """SageMaker could not create or update an endpoint."""


class BakeFailed(ReleaseStopped):
    """The look at the end of (or an alarm during) the bake found something wrong."""


class ShiftFailed(ReleaseStopped):
    """SageMaker took the new version back while traffic was moving to it: an alarm went off, and it had answered some requests."""


class LockLost(ReleaseStopped):
    """The release no longer owns the group's lock, so it may not touch production."""


class ExecutionDied(ReleaseStopped):
    """The release's execution ended before the release did: stopped by somebody, timed out, or failed beyond any Catch."""


class ReplayRefused(LockkeeperError):
    """A release that is not tried again."""


class SlackRefused(LockkeeperError):
    """Slack does not take a message, now or ever; whoever sent it tries again, and at last leaves a dead letter."""


class PipelineRefused(LockkeeperError):
    """SageMaker does not start a pipeline, now or ever: it is not there, or does not know a parameter."""


class StampRefused(LockkeeperError):
    """The registry does not take a release's outcome, now or later; the release ends all the same."""


class RegistrationRefused(LockkeeperError):
    """The registry does not take what a training job left, now or later; people are told."""


class EventUnreadable(LockkeeperError):
    """What a function was called with is no event; it ends as a dead letter, where a person finds it."""


class UnknownRelease(LockkeeperError):
    """No release of that name is in the ledger."""


class UnknownGroup(LockkeeperError):
    """No model package group of that name has a policy."""


class QueryRefused(LockkeeperError):
    """A question to the board or the API that cannot be answered as it was put."""


class SignInRefused(LockkeeperError):
    """Somebody could not be signed in: nothing says who they are."""


class SignInNeeded(LockkeeperError):
    """Nobody is signed in where somebody has to be."""


class ProviderFailed(LockkeeperError):
    """The OpenID Connect provider cannot be reached, or says what no provider may say."""


class DecisionRefused(LockkeeperError):
    """A decision that is not accepted: wrong person, wrong time, wrong evidence. Maps to HTTP 401, 403, 404, 409 or 410 by type."""


class BrakeRefused(DecisionRefused):
    """A hold, a freeze or a rollback that cannot be done as it was asked for."""


class AdoptionRefused(DecisionRefused):
    """An endpoint that cannot be taken over, or has been already."""


class NothingToRelease(DecisionRefused):
    """A brake that is to be taken off is not on."""


class NotPermitted(DecisionRefused):
    """This person may not decide."""


class LinkUnknown(DecisionRefused):
    """No such approval link."""


class LinkRevoked(DecisionRefused):
    """An approval link that somebody made void."""


class NotFromSlack(DecisionRefused):
    """A request that Slack has not signed for this app, or signed more than five minutes away from now."""


class RequestRepeated(DecisionRefused):
    """A signed request that was received before."""


class AlreadyDecided(DecisionRefused):
    """Somebody decided before."""


class OtherQuestion(DecisionRefused):
    """A decision that names another question than the one that would be decided."""


class RequestClosed(DecisionRefused):
    """The request is no longer open: expired or superseded."""


STATUS_OF_ERROR = {
    "Observed": "observed",
    "ReleaseRejected": "rejected",
    "ReleaseSuperseded": "superseded",
}
"""Status a release ends in, by the name of the error that stopped it; every other error means `failed`."""

REGISTRY_REJECTIONS = frozenset(
    {"GateFailed", "ReleaseRejected", "BakeFailed", "ShiftFailed", "ArtifactRefused", "RollbackRequested"}
)
"""Errors that say something about the model itself: the registry is stamped Rejected. The others leave its status."""
