"""Waits: stored task tokens, findable by the ARN of what they wait for."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from lockkeeper.adapters.dynamodb.table import Item, Table
from lockkeeper.ports import Wait


class Waits:
    table: Table

    def store_wait(self, wait: Wait) -> None:
        requests: list[Item] = [{"Put": self.table.put_request({**_keys(wait), **_plain(wait)})}]
        requests += [
            {
                "Put": self.table.put_request(
                    {
                        "pk": f"RESOURCE#{resource.lower()}",
                        "sk": f"{wait.release_id}#{wait.state}",
                        "release_id": wait.release_id,
                        "state": wait.state,
                    }
                )
            }
            for resource in wait.resources
        ]
        self.table.transact(*requests)

    def wait_of(self, release_id: str, state: str) -> Wait | None:
        item = self.table.get(f"RELEASE#{release_id}", f"WAIT#{state}")
        return _wait(item) if item else None

    def waits_on(self, resource: str) -> list[Wait]:
        pointers = self.table.query(f"RESOURCE#{resource.lower()}")
        found = [self.wait_of(pointer["release_id"], pointer["state"]) for pointer in pointers]
        return [wait for wait in found if wait is not None]

    def open_waits(self, release_id: str) -> list[Wait]:
        return [
            wait for item in self.table.query(f"RELEASE#{release_id}", "WAIT#") if not (wait := _wait(item)).delivered
        ]

    def wait_acted(self, wait: Wait) -> None:
        self.table.update(
            f"RELEASE#{wait.release_id}",
            f"WAIT#{wait.state}",
            "SET #acted = :yes",
            "#token = :token",
            yes=True,
            token=wait.token,
        )

    def postpone_wait(self, wait: Wait, deadline: str) -> bool:
        return self.table.update(
            f"RELEASE#{wait.release_id}",
            f"WAIT#{wait.state}",
            "SET #deadline = :later",
            "#settled = :no AND #token = :token AND #deadline = :known",
            later=deadline,
            no=False,
            token=wait.token,
            known=wait.deadline,
        )

    def advance_wait(self, wait: Wait, after: Wait) -> bool:
        return self.table.update(
            f"RELEASE#{wait.release_id}",
            f"WAIT#{wait.state}",
            "SET #step = :step, #details = :details, #deadline = :deadline, #acted = :acted",
            "#settled = :no AND #token = :token AND #step = :known",
            step=after.step,
            details=after.details,
            deadline=after.deadline,
            acted=after.acted,
            no=False,
            token=wait.token,
            known=wait.step,
        )

    def settle_wait(self, wait: Wait, result: dict[str, Any]) -> bool:
        return self.table.transact({"Update": self.settle_request(wait, result)})

    def settle_request(self, wait: Wait, result: dict[str, Any]) -> Item:
        """One part of a transaction: the wait is decided, the result waits for its delivery."""
        return self.table.update_request(
            f"RELEASE#{wait.release_id}",
            f"WAIT#{wait.state}",
            "SET #settled = :yes, #result = :result",
            "#settled = :no AND #token = :token",
            yes=True,
            no=False,
            token=wait.token,
            result=result,
        )

    def wait_delivered(self, wait: Wait) -> None:
        """In one piece: pointers that a crash left behind would be nobody's to remove, and a newer token's are not this wait's."""
        delivered = self.table.update_request(
            f"RELEASE#{wait.release_id}",
            f"WAIT#{wait.state}",
            "SET #delivered = :yes",
            "#token = :token",
            yes=True,
            token=wait.token,
        )
        pointers = [(f"RESOURCE#{resource.lower()}", f"{wait.release_id}#{wait.state}") for resource in wait.resources]
        self.table.transact({"Update": delivered}, *(self.table.delete_request(*place) for place in pointers))


def still_waiting(table: Table, wait: Wait) -> Item:
    """One part of a transaction, which changes nothing: it fails unless the wait is still to be decided."""
    # A condition by itself would be an action of its own to grant.
    return table.update_request(
        f"RELEASE#{wait.release_id}",
        f"WAIT#{wait.state}",
        "SET #token = :token",
        "#settled = :no AND #token = :token",
        no=False,
        token=wait.token,
    )


def _keys(wait: Wait) -> Item:
    return {"pk": f"RELEASE#{wait.release_id}", "sk": f"WAIT#{wait.state}"}


def _plain(wait: Wait) -> Item:
    return {**asdict(wait), "resources": list(wait.resources)}


def _wait(item: Item) -> Wait:
    # A wait that the version before stored has no `acted`: it was started.
    values = {"acted": True} | {one.name: item[one.name] for one in fields(Wait) if one.name in item}
    return Wait(**{**values, "resources": tuple(values["resources"])})
