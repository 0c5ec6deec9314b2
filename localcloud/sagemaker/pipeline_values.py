"""The values of a pipeline definition: parameters, references to what steps have made, and the functions over them."""

import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import WorkFailedError, invalid

PATH_PART = re.compile(r"\[\s*['\"](?P<quoted>[^'\"]+)['\"]\s*\]|\[(?P<index>\d+)\]|(?P<name>[^.\[\]]+)")
NAMES_OF_LISTED = ("OutputName", "InputName", "ChannelName", "MetricName", "VariantName", "ModelName")
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


@dataclass
class Values:
    """What a definition's expressions can see.

    `steps` holds what each finished step has made, as its Describe call shows it; `property_files` the S3 URI of each
    (step, file); `read` fetches an object. Missing things raise WorkFailedError.
    """

    parameters: Mapping[str, Any]
    execution: Mapping[str, str]
    read: Callable[[str], bytes]
    steps: dict[str, JsonObject] = field(default_factory=dict)
    property_files: dict[tuple[str, str], str] = field(default_factory=dict)

    def resolve(self, value: Any) -> Any:
        """The value with every expression in it evaluated."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Get"}:
            return self._get(value["Get"])
        if set(value) == {"Std:Join"}:
            join = value["Std:Join"]
            return str(join["On"]).join(_text(self.resolve(item)) for item in join["Values"])
        if set(value) == {"Std:JsonGet"}:
            return self._json_get(value["Std:JsonGet"])
        return {name: self.resolve(item) for name, item in value.items()}

    def holds(self, condition: JsonObject) -> bool:
        """Whether a condition of a Condition step is met."""
        kind = condition["Type"]
        if kind == "Not":
            return not self.holds(condition["Expression"])
        if kind == "Or":
            return any(self.holds(one) for one in condition["Conditions"])
        if kind == "In":
            return self.resolve(condition["QueryValue"]) in [self.resolve(one) for one in condition["Values"]]
        left, right = self.resolve(condition["LeftValue"]), self.resolve(condition["RightValue"])
        try:
            return COMPARISONS[kind](left, right)
        except TypeError:
            raise WorkFailedError(f"ClientError: {kind} cannot compare {left!r} with {right!r}.") from None

    def _get(self, reference: str) -> Any:
        kind, _, rest = reference.partition(".")
        if kind == "Parameters":
            return self.parameters[rest]
        if kind == "Execution":
            return self.execution[rest]
        step, _, path = rest.partition(".")
        return dig(self.steps[step], path, reference)

    def _json_get(self, described: JsonObject) -> Any:
        if "PropertyFile" in described:
            reference = described["PropertyFile"]["Get"]
            _, step, _, name = reference.split(".", 3)
            uri = self.property_files.get((step, name), "")
        else:
            uri = self.resolve(described["S3Uri"])
        try:
            document = json.loads(self.read(uri))
        except FileNotFoundError:
            raise WorkFailedError(f"ClientError: Unable to find the property file at {uri}.") from None
        except ValueError:
            raise WorkFailedError(f"ClientError: The property file at {uri} is not JSON.") from None
        return dig(document, described["Path"], f"{described['Path']} of {uri}")


def dig(document: Any, path: str, described: str) -> Any:
    """The value at a path such as `Outputs['evaluation'].S3Output.S3Uri` or `metrics.list[0]`.

    A list of named things (outputs, channels) is also found by name. Raises WorkFailedError when there is none.
    """
    found = document
    for match in PATH_PART.finditer(path):
        part = match["quoted"] or match["index"] or match["name"]
        try:
            found = _item(found, part)
        except (KeyError, IndexError, TypeError, ValueError, StopIteration):
            raise WorkFailedError(f"ClientError: {described} has no {part}.") from None
    return found


def _item(container: Any, part: str) -> Any:
    if not isinstance(container, list):
        return container[part]
    if part.isdigit():
        return container[int(part)]
    return next(one for one in container if part in (one.get(name) for name in NAMES_OF_LISTED))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def references(value: Any) -> Iterator[str]:
    """Every reference (`Steps.Train.ModelArtifacts...`) in a value."""
    if isinstance(value, dict):
        if set(value) == {"Get"} and isinstance(value["Get"], str):
            yield value["Get"]
        else:
            for item in value.values():
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def parameter_values(definition: JsonObject, given: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of an execution: what is given, else the defaults, in their types.

    Raises ApiError for a parameter that is unknown, missing, of another type or outside its values.
    """
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise invalid(f"Unknown pipeline parameters: [{', '.join(unknown)}].")
    values: dict[str, Any] = {}
    for name, parameter in declared.items():
        raw = given.get(name, parameter.get("DefaultValue"))
        if raw is None:
            raise invalid(f"Parameter [{name}] is not defined and has no default value.")
        values[name] = _typed(name, parameter["Type"], raw)
        allowed = parameter.get("EnumValues")
        if allowed and values[name] not in allowed:
            raise invalid(f"Parameter [{name}] value [{raw}] is not one of [{', '.join(map(str, allowed))}].")
    return values


def _typed(name: str, kind: str, raw: Any) -> Any:
    try:
        if kind == "Integer":
            return int(raw)
        if kind == "Float":
            return float(raw)
        if kind == "Boolean":
            return {"true": True, "false": False}[str(raw).lower()]
    except (ValueError, KeyError):
        raise invalid(f"Parameter [{name}] value [{raw}] is not of type {kind}.") from None
    return str(raw)
