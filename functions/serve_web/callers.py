"""What people ask for under their AWS identity, which API Gateway has authenticated: a decision, or that links are void."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import logger
from lockkeeper.use_cases.decide_approval import decide_by_principal
from lockkeeper.use_cases.letters import next_reminder
from lockkeeper.use_cases.revoke_links import revoke_links

from functions.serve_web.answers import as_json, asked, caller_arn, submitted_json


def decide(release_id: str, event: APIGatewayProxyEventV2, world: AwsWorld) -> Response[str]:
    """`status` of the question, and the decision; the body's `before` and `seal` say which question is meant."""
    logger.append_keys(release_id=release_id)
    body = submitted_json(event)
    answer, principal = asked(str(body.get("answer", ""))), caller_arn(event)
    before, seal = (str(body.get(name) or "") for name in ("before", "seal"))
    comment = str(body.get("comment", ""))
    decided = decide_by_principal(release_id, principal, answer, comment, world, before=before, seal=seal)
    logger.info("decided by caller", answer=str(answer), approver=decided.decisions[-1].approver)
    return as_json(200, {"release_id": release_id, "status": str(decided.status), **decided.decisions[-1].to_json()})


def revoke(release_id: str, event: APIGatewayProxyEventV2, world: AwsWorld) -> Response[str]:
    """`revoked` names whose links are void now; the body's `approver` says whose, all where it is left out."""
    logger.append_keys(release_id=release_id)
    whose = submitted_json(event).get("approver") or ""
    request = revoke_links(release_id, caller_arn(event), str(whose), world)
    last = request.revoked[-1]
    names = [one.approver for one in request.revoked if one.at == last.at]
    logger.info("links revoked", approvers=names, by=last.by)
    told = {"release_id": release_id, "before": request.before, "revoked": names, "by": last.by, "at": last.at}
    return as_json(200, {**told, "next_reminder": next_reminder(request, world)})
