"""Tags of every kind of resource."""

from localcloud.sagemaker.call import Call, Operation
from localcloud.sagemaker.cloud import JsonObject
from localcloud.sagemaker.errors import invalid
from localcloud.sagemaker.listing import page
from localcloud.sagemaker.store import Store, tag_map

MOST_TAGS = 50


class Tags:
    """AddTags, ListTags, DeleteTags."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        return {"AddTags": self.add, "ListTags": self.list_page, "DeleteTags": self.delete}

    def add(self, call: Call) -> JsonObject:
        known = self._of(call)
        added = tag_map(call["Tags"])
        if any(name.lower().startswith("aws:") for name in added):
            raise invalid("Tag keys that start with aws: are reserved.")
        if len(known | added) > MOST_TAGS:
            raise invalid(f"A resource may have {MOST_TAGS} tags.")
        known |= added
        return {"Tags": _listed(known)}

    def list_page(self, call: Call) -> JsonObject:
        return page(call, _listed(self._of(call)), "Tags")

    def delete(self, call: Call) -> JsonObject:
        known = self._of(call)
        for name in call["TagKeys"]:
            known.pop(name, None)
        return {}

    def _of(self, call: Call) -> dict[str, str]:
        """The tags of an ARN, which every resource has from its creation, be there none."""
        arn, world = call["ResourceArn"], self._store.world(call.place)
        for known in (arn, _lowered(arn)):
            if known in world.tags:
                return world.tags[known]
        raise invalid(f"Could not find resource {arn}.")


def _lowered(arn: str) -> str:
    """Names are in lower case in the ARNs of endpoints, models and jobs, however the caller writes them."""
    head, _, name = arn.partition("/")
    return f"{head}/{name.lower()}"


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]
