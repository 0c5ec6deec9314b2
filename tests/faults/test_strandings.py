"""A lost event of any kind is made up for by one look of the keeper of the house."""

from __future__ import annotations

from tests.conftest import Figure
from tests.e2e.harness import ENDED
from tests.faults.lost_events import lose_one_of_each
from tests.faults.yard import Yard


def test_every_kind_of_lost_event_is_made_up_for_by_one_look(yard: Yard, figure: Figure) -> None:
    # Looks of the schedule would come to it, too, later.
    with yard.cloud.without_house_keeping():
        wanted = lose_one_of_each(yard, "lost")
        early = [(one, yard.release(one).timeline) for one in wanted if yard.release(one).status in ENDED]
        assert early == [], "what was lost was no loss"
        found = yard.keep_house()
        problems = [one for release_id, status in wanted.items() for one in yard.ends_as(release_id, status)]
    yard.throw_letters_away()
    problems += yard.nothing_left("lost-")
    figure("a lost event", f"{len(wanted) - len(problems)} of {len(wanted)} kinds recovered by one look", "100%")
    assert problems == [], found
