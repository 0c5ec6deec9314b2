"""Autoscaling of the production endpoint: what a policy wants, what the endpoint has, and what that means for a change.

Source of what must not change under a scalable target: "Update endpoints that use automatic scaling", SageMaker developer guide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, model_validator

from lockkeeper.domain.section import Section
from lockkeeper.domain.strategy import Shift

BURSTABLE = "ml.t"
"""Instance types that begin so are not scaled: their credits already let them take more."""

Instances = Annotated[int, Field(ge=1, le=100)]


class Autoscaling(Section):
    """Between `min` and `max` instances, so many that each of them gets `invocations_per_instance` requests a minute."""

    min: Instances
    max: Instances
    invocations_per_instance: Annotated[int, Field(ge=1, le=1_000_000)]

    @model_validator(mode="after")
    def _in_order(self) -> Autoscaling:
        if self.min > self.max:
            raise ValueError(f"min is {self.min} and max is {self.max}; set max to {self.min} or more, or min lower")
        return self


def check_scaling(bounds: Autoscaling | None, instance_type: str, initial_instances: int, shift: Shift | None) -> None:
    """`ValueError` where production cannot be scaled so."""
    if bounds is None:
        return
    if instance_type.startswith(BURSTABLE):
        raise ValueError(
            f"autoscaling of {instance_type}: SageMaker does not scale burstable instances; "
            "choose another instance_type, or remove autoscaling"
        )
    if not bounds.min <= initial_instances <= bounds.max:
        raise ValueError(
            f"initial_instances is {initial_instances} and autoscaling keeps {bounds.min} to {bounds.max}; set it within those"
        )
    if shift and bounds.min < 2:
        raise ValueError(
            f"{shift.kind} with autoscaling down to {bounds.min}: there would be no part of it to shift; "
            "set autoscaling.min to 2 or more, or bring it in all at once"
        )


@dataclass(frozen=True)
class Scaled:
    """An endpoint's scalable target: its bounds, Lockkeeper's own scaling policy (requests a minute), the names of all others."""

    min: int
    max: int
    invocations_per_instance: float | None = None
    others: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        per = self.invocations_per_instance
        return f"{self.min} to {self.max} instances" + (f", {per:g} requests a minute each" if per is not None else "")

    def kept(self) -> dict[str, Any]:
        """As a release keeps it; `kept_scaling` reads it."""
        return {
            "min": self.min,
            "max": self.max,
            "invocations_per_instance": self.invocations_per_instance,
            "others": list(self.others),
        }


def kept_scaling(kept: dict[str, Any] | None) -> Scaled | None:
    """What a release keeps, as it was."""
    return Scaled(**{**kept, "others": tuple(kept["others"])}) if kept else None


def wanted_scaling(autoscaling: Autoscaling | None) -> Scaled | None:
    """What a policy wants, as an endpoint has it."""
    if autoscaling is None:
        return None
    return Scaled(autoscaling.min, autoscaling.max, autoscaling.invocations_per_instance)


def objection(found: Scaled | None, wanted: Scaled | None, *, retyped: bool) -> str:
    """Why an endpoint that is scaled by others is left alone, with the cure; empty where nothing speaks against the change."""
    if found is None or not found.others:
        return ""
    names = ", ".join(found.others)
    if wanted:
        return f"it is scaled by {names} already; delete those scaling policies, or take autoscaling out of the policy"
    if retyped:
        return f"{names} scale it, and under them its instance type cannot change; deregister its scalable target first"
    return ""


def keeps_capacity(found: Scaled | None, wanted: Scaled | None, *, retyped: bool) -> bool:
    """Whether an update keeps the instances that there are: while the endpoint is scaled before it as well as after it."""
    return found is not None and not retyped and (wanted is not None or bool(found.others))
