"""A world whose adapters break at one chosen call: before it happened, or after it did and before anybody heard of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lockkeeper.adapters.in_memory import InMemoryWorld
from lockkeeper.domain.approval import Answer
from lockkeeper.domain.errors import AlreadyDecided

from tests.unit.harbour import Harbour

ADAPTERS = frozenset(
    {"ledger", "registry", "objects", "policies", "staging", "production", "tasks", "schedules", "publisher", "mail"}
)


class Broken(Exception):
    """The sandbox died, the network failed: whatever it was, it happened once."""


class Watched:
    """One adapter; every call goes through `around`, which gets the call's name and the call."""

    def __init__(self, adapter: Any, name: str, around: Callable[[str, Callable[[], Any]], Any]) -> None:
        self._adapter = adapter
        self._name = name
        self._around = around

    def __getattr__(self, method: str) -> Any:
        found = getattr(self._adapter, method)
        if not callable(found):
            return found
        return lambda *args, **named: self._around(f"{self._name}.{method}", lambda: found(*args, **named))


class WatchedWorld:
    """A world whose adapters' calls go through `around`."""

    def __init__(self, world: InMemoryWorld) -> None:
        self._world = world
        self._adapters = {name: Watched(getattr(world, name), name, self.around) for name in ADAPTERS}

    def __getattr__(self, name: str) -> Any:
        return self._adapters[name] if name in ADAPTERS else getattr(self._world, name)

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        """What happens at a call of the adapter's `name`; subclasses do something before or after it."""
        return call()


class CutOnce(WatchedWorld):
    """Breaks at the next call of one of these names, before it happens."""

    def __init__(self, world: InMemoryWorld, *names: str) -> None:
        super().__init__(world)
        self._names = names

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        if name in self._names:
            self._names = ()
            raise Broken(name)
        return call()


class BreakingWorld(WatchedWorld):
    """Breaks once, at call number `at` (from 1; 0 is never) after `begin`."""

    def __init__(self, world: InMemoryWorld, at: int = 0, *, after: bool = False) -> None:
        super().__init__(world)
        self.calls: list[str] = []
        self._begun = False
        self._at = at
        self._after = after

    def begin(self) -> None:
        self._begun = True

    def around(self, name: str, call: Callable[[], Any]) -> Any:
        if not self._begun:
            return call()
        self.calls.append(name)
        if len(self.calls) != self._at:
            return call()
        if self._after:
            call()
        raise Broken(f"{'after' if self._after else 'before'} call {self._at}, {name}")


class BreakingHarbour(Harbour):
    """What Lambda, EventBridge and people do about a function that broke: they try again."""

    def __init__(self, at: int = 0, *, after: bool = False) -> None:
        world = InMemoryWorld()
        self.breaking = BreakingWorld(world, at, after=after)
        super().__init__(inside=self.breaking, world=world)

    def tell_registry(self, version: int) -> Any:
        try:
            return super().tell_registry(version)
        except Broken:
            return super().tell_registry(version)

    def tell(self, event: dict[str, Any]) -> list[str]:
        try:
            return super().tell(event)
        except Broken:
            return super().tell(event)

    def tell_of_endpoint(self, arn: str) -> None:
        try:
            super().tell_of_endpoint(arn)
        except Broken:
            super().tell_of_endpoint(arn)

    def decide(self, answer: Answer, approver: str = "Ada", comment: str = "") -> None:
        try:
            super().decide(answer, approver, comment)
        except Broken:
            try:
                super().decide(answer, approver, comment)
            except AlreadyDecided:
                self.settle()
