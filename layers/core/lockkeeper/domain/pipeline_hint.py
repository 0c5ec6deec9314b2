"""The end of a pipeline execution, read as a hint: of any shape, from anybody, in any order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.events import shown
from lockkeeper.domain.registration import Ignore

EXECUTION_CHANGE = "SageMaker Model Building Pipeline Execution Status Change"
EXECUTION_ARN = re.compile(
    r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:(?P<account>[0-9]{12})"
    r":pipeline/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}/execution/[a-zA-Z0-9]{1,40}"
)
UNDERWAY = frozenset({"EXECUTING", "STOPPING"})


@dataclass(frozen=True)
class PipelineTold:
    """An execution has ended, an event says."""

    arn: str


def is_about_pipelines(event: dict[str, Any]) -> bool:
    return event.get("source") == "aws.sagemaker" and event.get("detail-type") == EXECUTION_CHANGE


def pipeline_hint(event: dict[str, Any], accounts: Accounts) -> PipelineTold | Ignore:
    """Which execution an event is about; one of a stranger's, or that goes on, is ignored with the reason."""
    detail = event.get("detail")
    if not isinstance(detail, dict):
        return Ignore("the event has no detail")
    if event.get("account") != accounts.registry:
        return Ignore(f"account {shown(event.get('account'))} is not the registry, where pipelines are")
    arn = detail.get("pipelineExecutionArn")
    found = EXECUTION_ARN.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        return Ignore("the event names no pipelineExecutionArn")
    if found["account"] != event.get("account"):
        return Ignore(f"the event of {shown(event.get('account'))} is about another account: {found[0]}")
    status = detail.get("currentPipelineExecutionStatus")
    if str(status).upper() in UNDERWAY:
        return Ignore(f"{found[0]} is still {shown(status)}")
    return PipelineTold(found[0])
