"""docs/training.md against the code: the tags, the causes."""

from __future__ import annotations

from lockkeeper.domain import training
from lockkeeper.domain.training_failure import CURES, PASSING, Cause

from tests.template.project import PROJECT, rows, section

PAGE = PROJECT / "docs" / "training.md"


def test_every_tag_is_on_the_page_with_what_its_lack_means() -> None:
    table = {tag.strip("`"): without for tag, _, without in rows(section(PAGE, "Tags"))}
    known = {value for name, value in vars(training).items() if name.endswith("_TAG") and name != "PIPELINE_TAG"}
    assert set(table) == known
    assert {tag for tag, without in table.items() if "people are told" in without} == set(training.NEEDED)


def test_every_cause_is_on_the_page_and_has_a_cure() -> None:
    table = {cause.strip("`"): passing for cause, _, passing in rows(section(PAGE, "When it goes wrong"))}
    assert set(table) == set(Cause) == set(CURES)
    assert {cause for cause, says in table.items() if says.startswith("no")} == PASSING
