"""What programs read, in JSON. `openapi.json` describes these routes and those of `callers.py`."""

import json
from pathlib import Path

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.entry import logger
from lockkeeper.use_cases.show_board import group_document, list_groups, list_releases, release_document

from functions.serve_web.answers import as_json

DOCUMENT = Path(__file__).parent / "openapi.json"
router = APIGatewayHttpRouter()


@router.get("/api/releases")
def releases() -> Response[str]:
    asked_for = router.current_event.query_string_parameters
    group, status, limit, after = (asked_for.get(name, "") for name in ("group", "status", "limit", "after"))
    return as_json(200, list_releases(group, status, limit, after, _world()))


@router.get("/api/releases/<release_id>")
def release(release_id: str) -> Response[str]:
    logger.append_keys(release_id=release_id)
    return as_json(200, release_document(release_id, _world()))


@router.get("/api/groups")
def groups() -> Response[str]:
    return as_json(200, list_groups(router.current_event.query_string_parameters.get("after", ""), _world()))


@router.get("/api/groups/<group>")
def group(group: str) -> Response[str]:
    return as_json(200, group_document(group, _world()))


@router.get("/api/openapi.json")
def document() -> Response[str]:
    return as_json(200, json.loads(DOCUMENT.read_text(encoding="utf-8")))


def _world() -> AwsWorld:
    world: AwsWorld = router.context["world"]
    return world
