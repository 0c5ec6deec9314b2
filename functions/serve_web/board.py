"""The release board: pages for whoever is signed in. Nothing on them decides anything."""

import json
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter
from lockkeeper.bootstrap import AwsWorld
from lockkeeper.domain.cost import cost_of
from lockkeeper.domain.sign_in import Session
from lockkeeper.entry import logger
from lockkeeper.use_cases.show_board import ReleaseView, show_front, show_group, show_release

from functions.serve_web.answers import page
from functions.serve_web.sign_in import for_people, sign_out_token

MOST_CHARACTERS = 30_000
"""Of one piece of evidence on the page; the bucket has all of it."""
MOST_PIECES = 30

router = APIGatewayHttpRouter()


@router.get("/")
@for_people(router)
def front(session: Session) -> Response[str]:
    return _page("board.html.j2", session, front=show_front(_world()))


@router.get("/groups/<group>")
@for_people(router)
def group_page(session: Session, group: str) -> Response[str]:
    from functions.serve_web.plots import quality_plot

    after = router.current_event.query_string_parameters.get("after", "")
    view = show_group(group, after, _world())
    return _page("group.html.j2", session, view=view, plot=quality_plot(view.quality), after=after)


@router.get("/releases/<release_id>")
@for_people(router)
def release_page(session: Session, release_id: str) -> Response[str]:
    logger.append_keys(release_id=release_id)
    view = show_release(release_id, _world())
    cost = cost_of(view.release.meters)
    return _page("release.html.j2", session, view=view, cost=cost, evidence=_evidence(view))


def _world() -> AwsWorld:
    world: AwsWorld = router.context["world"]
    return world


def _page(template: str, session: Session, **values: Any) -> Response[str]:
    token = sign_out_token(router.current_event, _world())
    return page(template, 200, person=session.person, sign_out_token=token, **values)


def _evidence(view: ReleaseView) -> list[dict[str, Any]]:
    """What the dossiers hold, piece by piece, as text of bounded size."""
    pieces = [
        (dossier.kind, name, json.dumps(value, indent=1, ensure_ascii=False, sort_keys=True))
        for dossier in view.dossiers
        for name, value in dossier.evidence.items()
    ]
    return [
        {
            "kind": kind,
            "name": name,
            "text": text[:MOST_CHARACTERS],
            "cut": len(text) > MOST_CHARACTERS,
            "size": f"{len(text):,} characters",
        }
        for kind, name, text in pieces[:MOST_PIECES]
    ]
