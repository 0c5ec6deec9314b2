"""Reading a pipeline definition (JSON, version 2020-12-01), and refusing what could not run."""

import graphlib
import json
from collections.abc import Iterator

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import ApiError, invalid
from localcloud.sagemaker.pipeline_values import COMPARISONS, references

VERSION = "2020-12-01"
STEP_TYPES = ("Training", "Processing", "Condition", "RegisterModel", "Fail")
PARAMETER_TYPES = ("String", "Integer", "Float", "Boolean")
CONDITION_TYPES = (*COMPARISONS, "In", "Not", "Or")
EXECUTION_VARIABLES = (
    "PipelineExecutionId", "PipelineExecutionArn", "PipelineName", "PipelineArn", "StartDateTime", "CurrentDateTime",
    "TrainingJobName", "ProcessingJobName",
)  # fmt: skip


def refused(reason: str) -> ApiError:
    """A definition that CreatePipeline does not take."""
    return invalid(f"Unable to parse pipeline definition. {reason}")


def parse(text: str) -> JsonObject:
    """The definition in a JSON text. Raises ApiError with the first reason why it could not run."""
    try:
        definition: JsonObject = json.loads(text)
    except ValueError as error:
        raise refused(f"It is not JSON: {error}") from None
    if not isinstance(definition, dict) or definition.get("Version") != VERSION:
        raise refused(f"Its Version has to be {VERSION}.")
    for parameter in definition.get("Parameters", []):
        if parameter.get("Type") not in PARAMETER_TYPES:
            raise refused(f"Parameter {parameter.get('Name')} has the unknown type {parameter.get('Type')}.")
    steps = list(all_steps(definition.get("Steps", [])))
    if not steps:
        raise refused("It has no steps.")
    names = [step.get("Name") for step in steps]
    repeated = sorted({str(name) for name in names if names.count(name) > 1})
    if repeated:
        raise refused(f"Step names must be unique: {', '.join(repeated)}.")
    _check_steps(definition, steps)
    return definition


def all_steps(steps: list[JsonObject]) -> Iterator[JsonObject]:
    """The steps and those inside Condition steps, in the order of the definition."""
    for step in steps:
        yield step
        if step.get("Type") == "Condition":
            arguments = step.get("Arguments", {})
            yield from all_steps([*arguments.get("IfSteps", []), *arguments.get("ElseSteps", [])])


def needs(step: JsonObject) -> set[str]:
    """The names of the steps that have to end before this one, those inside it apart."""
    inner = {one["Name"] for one in all_steps([step])}
    named = {
        reference.split(".")[1]
        for reference in references([step.get("Arguments", {}), step.get("PropertyFiles", [])])
        if reference.startswith("Steps.")
    }
    return (named | set(step.get("DependsOn", []))) - inner


def _check_steps(definition: JsonObject, steps: list[JsonObject]) -> None:
    parameters = {parameter["Name"] for parameter in definition.get("Parameters", [])}
    known = {step["Name"] for step in steps}
    for step in steps:
        if step.get("Type") not in STEP_TYPES:
            raise refused(
                f"Step {step['Name']} has the type {step.get('Type')}; the laptop's AWS runs {', '.join(STEP_TYPES)}."
            )
        for reference in references(step):
            kind, _, rest = reference.partition(".")
            allowed = {"Parameters": parameters, "Execution": set(EXECUTION_VARIABLES), "Steps": known}.get(kind, set())
            if rest.split(".")[0] not in allowed:
                raise refused(f"Step {step['Name']} refers to {reference}, which is not defined.")
        missing = sorted(needs(step) - known)
        if missing:
            raise refused(f"Step {step['Name']} depends on {', '.join(missing)}, which is not defined.")
        for condition in _conditions(step.get("Arguments", {}).get("Conditions", [])):
            if condition.get("Type") not in CONDITION_TYPES:
                raise refused(f"Step {step['Name']} has the unknown condition {condition.get('Type')}.")
    try:
        graphlib.TopologicalSorter({step["Name"]: needs(step) for step in steps}).prepare()
    except graphlib.CycleError as error:
        raise refused(f"The steps wait for each other: {' -> '.join(error.args[1])}.") from None


def _conditions(conditions: list[JsonObject]) -> Iterator[JsonObject]:
    for condition in conditions:
        yield condition
        inner = [condition["Expression"]] if "Expression" in condition else condition.get("Conditions", [])
        yield from _conditions(inner)
