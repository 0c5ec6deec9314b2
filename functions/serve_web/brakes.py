"""Brakes and adoptions, under the caller's AWS identity, which API Gateway has authenticated: IAM says who may use which route."""

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.errors import BrakeRefused
from lockkeeper.entry import logger
from lockkeeper.use_cases.adopt_endpoint import adopt_endpoint
from lockkeeper.use_cases.ask_for_rollback import ask_for_rollback
from lockkeeper.use_cases.brake import freeze_group, hold_version, lift_hold, resume_retraining, unfreeze_group

from functions.serve_web.answers import as_json, caller_arn, submitted_json

router = APIGatewayHttpRouter()


@router.post("/api/groups/<group>/hold")
def hold(group: str) -> Response[str]:
    body, principal, reason = _asked()
    return _done(hold_version(group, _version(body), principal, reason, _world()))


@router.post("/api/groups/<group>/lift-hold")
def lift(group: str) -> Response[str]:
    body, principal, reason = _asked()
    return _done(lift_hold(group, _version(body), principal, reason, _world()))


@router.post("/api/groups/<group>/freeze")
def freeze(group: str) -> Response[str]:
    body, principal, reason = _asked()
    return _done(freeze_group(group, principal, reason, str(body.get("until") or ""), _world()))


@router.post("/api/groups/<group>/unfreeze")
def unfreeze(group: str) -> Response[str]:
    _body, principal, reason = _asked()
    return _done(unfreeze_group(group, principal, reason, _world()))


@router.post("/api/groups/<group>/rollback")
def rollback(group: str) -> Response[str]:
    _body, principal, reason = _asked()
    return _done(ask_for_rollback(group, principal, reason, _world()))


@router.post("/api/groups/<group>/resume-retraining")
def resume(group: str) -> Response[str]:
    _body, principal, reason = _asked()
    return _done(resume_retraining(group, principal, reason, _world()))


@router.post("/api/groups/<group>/adopt")
def adopt(group: str) -> Response[str]:
    body, principal = submitted_json(router.current_event), caller_arn(router.current_event)
    take_over = body.get("take_over", False)
    if not isinstance(take_over, bool):
        raise BrakeRefused("take_over is neither true nor false", cure='leave it out, or send {"take_over": true}')
    return _done(adopt_endpoint(group, principal, _world(), take_over=take_over))


def _asked() -> tuple[dict[str, Any], str, str]:
    """The body, who calls, and why."""
    body = submitted_json(router.current_event)
    return body, caller_arn(router.current_event), str(body.get("reason") or "")


def _done(done: dict[str, Any]) -> Response[str]:
    logger.info("braked", model_package_group=done["model_package_group"], did=done["did"], by=done["by"])
    return as_json(200, done)


def _version(body: dict[str, Any]) -> int:
    version = body.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise BrakeRefused("no version is given", cure='name it as a number: {"version": 3, "reason": "..."}')
    return version


def _world() -> AwsWorld:
    world: AwsWorld = router.context["world"]
    return world
