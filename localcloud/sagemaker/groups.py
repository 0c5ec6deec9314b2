"""Model package groups and their resource policies."""

import json

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import Cloud, JsonObject, Place
from localcloud.sagemaker.errors import ApiError, conflict, invalid
from localcloud.sagemaker.listing import select
from localcloud.sagemaker.store import Store, tag_map

SUMMARY = (
    "ModelPackageGroupName", "ModelPackageGroupArn", "ModelPackageGroupDescription", "CreationTime",
    "ModelPackageGroupStatus",
)  # fmt: skip


class ModelPackageGroups:
    """The registry's groups. A group's policy lets other accounts use its versions by their ARNs."""

    def __init__(self, store: Store, cloud: Cloud) -> None:
        self._store = store
        self._cloud = cloud

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModelPackageGroup": self.create,
            "DescribeModelPackageGroup": self.describe,
            "ListModelPackageGroups": self.list_page,
            "DeleteModelPackageGroup": self.delete,
            "PutModelPackageGroupPolicy": self.put_policy,
            "GetModelPackageGroupPolicy": self.get_policy,
            "DeleteModelPackageGroupPolicy": self.delete_policy,
        }

    def create(self, call: Call) -> JsonObject:
        world, name = self._store.world(call.place), call["ModelPackageGroupName"]
        arn = call.place.arn(f"model-package-group/{name}")
        if name in world.groups:
            raise invalid(f"Model Package Group already exists: {arn}")
        world.groups[name] = {
            "ModelPackageGroupName": name,
            "ModelPackageGroupArn": arn,
            "CreationTime": self._cloud.now(),
            "CreatedBy": call.user_context(),
            "ModelPackageGroupStatus": "Completed",
            "LastVersion": 0,
        }
        if call.get("ModelPackageGroupDescription"):
            world.groups[name]["ModelPackageGroupDescription"] = call["ModelPackageGroupDescription"]
        world.tags[arn] = tag_map(call.get("Tags"))
        return {"ModelPackageGroupArn": arn}

    def describe(self, call: Call) -> JsonObject:
        _, group = self.find(call, call["ModelPackageGroupName"])
        return {name: value for name, value in group.items() if name not in ("LastVersion", "ResourcePolicy")}

    def list_page(self, call: Call) -> JsonObject:
        return select(
            call,
            self._store.world(call.place).groups.values(),
            name="ModelPackageGroupName",
            summary=lambda group: {name: group[name] for name in SUMMARY if name in group},
            answer="ModelPackageGroupSummaryList",
        )

    def delete(self, call: Call) -> JsonObject:
        place, group = self.find(call, call["ModelPackageGroupName"])
        world, name = self._store.world(place), group["ModelPackageGroupName"]
        if any(package.get("ModelPackageGroupName") == name for package in world.packages.values()):
            raise conflict(f"Model Package Group {group['ModelPackageGroupArn']} cannot be deleted: it holds versions.")
        del world.groups[name]
        world.tags.pop(group["ModelPackageGroupArn"], None)
        return {}

    def put_policy(self, call: Call) -> JsonObject:
        _, group = self.find(call, call["ModelPackageGroupName"])
        try:
            statements = json.loads(call["ResourcePolicy"])["Statement"]
        except (ValueError, TypeError, KeyError):
            raise invalid("Invalid resource policy: it is not a JSON policy document with statements.") from None
        if any(not statement.get("Principal") for statement in statements):
            raise invalid("Invalid resource policy: a statement names no principal.")
        group["ResourcePolicy"] = call["ResourcePolicy"]
        return {"ModelPackageGroupArn": group["ModelPackageGroupArn"]}

    def get_policy(self, call: Call) -> JsonObject:
        _, group = self.find(call, call["ModelPackageGroupName"])
        if "ResourcePolicy" not in group:
            raise invalid(f"Cannot find resource policy for: {group['ModelPackageGroupArn']}")
        return {"ResourcePolicy": group["ResourcePolicy"]}

    def delete_policy(self, call: Call) -> JsonObject:
        self.get_policy(call)
        _, group = self.find(call, call["ModelPackageGroupName"])
        del group["ResourcePolicy"]
        return {}

    def find(self, call: Call, name_or_arn: str) -> tuple[Place, JsonObject]:
        """A group, and the place it lives in, which is another account's when its ARN says so and its policy allows.

        Raises ApiError when there is none, or its policy does not let the caller in.
        """
        place, name = place_of(call.place, name_or_arn, "model-package-group/")
        group = self._store.world(place).groups.get(name)
        if group is None:
            raise invalid(f"ModelPackageGroup {place.arn(f'model-package-group/{name}')} does not exist.")
        self.admit(call, place, group, group["ModelPackageGroupArn"])
        return place, group

    def admit(self, call: Call, place: Place, group: JsonObject, arn: str) -> None:
        """Refuse a caller of another account whom the group's policy does not allow the operation on `arn`."""
        if place.account == call.place.account:
            return
        action = f"sagemaker:{call.operation}"
        policy = group.get("ResourcePolicy")
        if policy is None or not self._cloud.policy_allows(policy, call.caller_arn, action, arn):
            raise ApiError(
                "AccessDeniedException",
                f"User: {call.caller_arn} is not authorized to perform: {action} on resource: {arn} "
                f"because no resource-based policy allows the {action} action",
            )


def place_of(here: Place, name_or_arn: str, kind: str) -> tuple[Place, str]:
    """The place and the name of a resource that a request gives by its name or by its ARN."""
    if not name_or_arn.startswith("arn:"):
        return here, name_or_arn
    parts = name_or_arn.split(":", 5)
    return Place(parts[4], parts[3]), parts[5].removeprefix(kind)
