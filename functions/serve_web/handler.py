"""The web: approval pages by personal link, routes for AWS identities, Slack's button, and what the routers have.

Reading never decides: only POST does.
"""

from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from lockkeeper.bootstrap import world
from lockkeeper.domain.errors import LockkeeperError
from lockkeeper.entry import Event, logger, metrics

from functions.serve_web import api, approvals, board, brakes, callers, sign_in
from functions.serve_web.answers import refusal
from functions.serve_web.slack import answer_slack

app = APIGatewayHttpResolver()
for part in (api, board, brakes, sign_in):
    app.include_router(part.router)


@app.get("/approvals/<link>")
def show_approval(link: str) -> Response[str]:
    return approvals.show(link, app.current_event, world())


@app.post("/approvals/<link>")
def decide_on_approval(link: str) -> Response[str]:
    return approvals.decide(link, app.current_event, world())


@app.post("/api/releases/<release_id>/decision")
def decide_by_caller(release_id: str) -> Response[str]:
    return callers.decide(release_id, app.current_event, world())


@app.post("/api/releases/<release_id>/revoke")
def revoke_by_caller(release_id: str) -> Response[str]:
    return callers.revoke(release_id, app.current_event, world())


@app.post("/slack/interactions")
def decide_in_slack() -> Response[str]:
    return answer_slack(app.current_event, world())


@app.exception_handler(LockkeeperError)
def refuse(error: LockkeeperError) -> Response[str]:
    """One place where errors become HTTP, by type."""
    logger.warning(f"refused: {type(error).__name__}: {error}")
    return refusal(error, app.current_event.path)


@metrics.log_metrics
def handler(event: Event, context: Any) -> Any:
    logger.append_keys(release_id="", route=event.get("routeKey", ""))
    metrics.add_metric(name="RequestSeen", unit="Count", value=1)
    app.append_context(world=world())
    return app.resolve(event, context)
