"""The whole outside, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from lockkeeper.adapters.in_memory.endpoints import InMemoryEndpoints
from lockkeeper.adapters.in_memory.jobs import InMemoryJobs
from lockkeeper.adapters.in_memory.ledger import InMemoryLedger
from lockkeeper.adapters.in_memory.look import InMemoryLook
from lockkeeper.adapters.in_memory.messages import (
    InMemoryMail,
    InMemoryPublisher,
    InMemorySchedules,
    InMemoryTasks,
    SettableClock,
)
from lockkeeper.adapters.in_memory.retrainings import InMemoryPipelines
from lockkeeper.adapters.in_memory.sessions import InMemoryProvider
from lockkeeper.adapters.in_memory.slack import InMemorySlack
from lockkeeper.adapters.in_memory.storage import OWN_ROLE, InMemoryObjects, InMemoryPolicies, InMemoryRegistry
from lockkeeper.adapters.in_memory.training import InMemoryTraining
from lockkeeper.adapters.patterns import search_all
from lockkeeper.adapters.picklescan import dangerous_globals
from lockkeeper.domain.accounts import Accounts
from lockkeeper.domain.artifact.findings import Opinion
from lockkeeper.domain.online.safety import Search
from lockkeeper.settings import Settings

HUB = "111111111111"
STAGING = "222222222222"
PRODUCTION = "333333333333"
ACCOUNTS = Accounts(HUB, registry=HUB, staging=STAGING, production=PRODUCTION)


@dataclass
class InMemoryWorld:
    """Implements `ports.World` with three accounts: the hub with the registry, staging and production."""

    clock: SettableClock = field(default_factory=SettableClock)
    objects: InMemoryObjects = field(default_factory=InMemoryObjects)
    tasks: InMemoryTasks = field(default_factory=InMemoryTasks)
    schedules: InMemorySchedules = field(default_factory=InMemorySchedules)
    publisher: InMemoryPublisher = field(default_factory=InMemoryPublisher)
    mail: InMemoryMail = field(default_factory=InMemoryMail)
    settings: Settings = field(default_factory=lambda: Settings({}))
    accounts: Accounts = ACCOUNTS
    own_registry_role: str = OWN_ROLE
    pickle_opinion: Opinion = dangerous_globals
    search: Search = search_all
    slack: InMemorySlack | None = None
    replay_code: bytes = b"the archive of a replay"
    scan_code: bytes = b"the archive of a scan"
    monitor_code: bytes = b"the archive of the monitor"
    web_url: str = "https://lockkeeper.example.com"
    web_access: str = "links"
    identity_provider: InMemoryProvider | None = None
    pipelines: InMemoryPipelines = field(default_factory=InMemoryPipelines)

    @property
    def slack_used(self) -> bool:
        return self.slack is not None

    def __post_init__(self) -> None:
        self.ledger = InMemoryLedger(self.clock)
        self.registry = InMemoryRegistry(self.clock)
        self.training = InMemoryTraining()
        self.policies = InMemoryPolicies(self.clock)
        self.staging = InMemoryEndpoints(self.clock, STAGING)
        self.production = InMemoryEndpoints(self.clock, PRODUCTION)
        self.production.objects = self.objects.stored
        self.production_look = InMemoryLook(self.production)
        self.replay_jobs = InMemoryJobs(STAGING)
        self.scan_jobs = InMemoryJobs(HUB)
        self.monitor_jobs = InMemoryJobs(PRODUCTION)
