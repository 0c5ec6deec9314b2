"""Fakes of every port, for tests: they keep in memory what the real adapters keep in AWS, with the same conditions."""

from lockkeeper.adapters.in_memory.endpoints import InMemoryEndpoints
from lockkeeper.adapters.in_memory.ledger import InMemoryLedger
from lockkeeper.adapters.in_memory.messages import (
    InMemoryMail,
    InMemoryPublisher,
    InMemorySchedules,
    InMemoryTasks,
    Letter,
    SettableClock,
)
from lockkeeper.adapters.in_memory.sessions import InMemoryProvider
from lockkeeper.adapters.in_memory.slack import InMemorySlack
from lockkeeper.adapters.in_memory.storage import InMemoryObjects, InMemoryPolicies, InMemoryRegistry
from lockkeeper.adapters.in_memory.training import InMemoryTraining
from lockkeeper.adapters.in_memory.world import InMemoryWorld

__all__ = [
    "InMemoryEndpoints",
    "InMemoryLedger",
    "InMemoryMail",
    "InMemoryObjects",
    "InMemoryPolicies",
    "InMemoryProvider",
    "InMemoryPublisher",
    "InMemoryRegistry",
    "InMemorySchedules",
    "InMemorySlack",
    "InMemoryTasks",
    "InMemoryTraining",
    "InMemoryWorld",
    "Letter",
    "SettableClock",
]
