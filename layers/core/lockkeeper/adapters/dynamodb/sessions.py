"""Who signs in and who is signed in, by the SHA-256 of secrets that browsers alone have. The table forgets all of it by itself."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from lockkeeper.adapters.dynamodb.table import Item, Table
from lockkeeper.domain.sign_in import Person, Session, SignInAttempt
from lockkeeper.ports import Clock


class Sessions:
    """The table's time-to-live comes hours late: what has expired is not given out before either."""

    table: Table
    clock: Clock

    def begin_sign_in(self, attempt: SignInAttempt) -> None:
        self.table.put({**_keys("SIGNIN", attempt.state_sha256), **_forgotten(attempt.expires_at), **asdict(attempt)})

    def take_sign_in(self, state_sha256: str) -> SignInAttempt | None:
        item = self.table.take(*_keys("SIGNIN", state_sha256).values())
        return SignInAttempt(**_only(SignInAttempt, item)) if item and not self._is_over(item) else None

    def open_session(self, session: Session) -> None:
        record: Item = {**asdict(session), **asdict(session.person)}
        del record["person"]
        self.table.put({**_keys("SESSION", session.sha256), **_forgotten(session.expires_at), **record})

    def session(self, sha256: str) -> Session | None:
        item = self.table.get(*_keys("SESSION", sha256).values())
        if item is None or self._is_over(item):
            return None
        person = Person(**_only(Person, item))
        return Session(item["sha256"], person, item["signed_in_at"], item["expires_at"])

    def end_session(self, sha256: str) -> None:
        self.table.delete(*_keys("SESSION", sha256).values())

    def _is_over(self, item: Item) -> bool:
        return self.clock.now() >= datetime.fromisoformat(item["expires_at"])


def _keys(kind: str, sha256: str) -> dict[str, str]:
    return {"pk": f"{kind}#{sha256}", "sk": kind}


def _forgotten(expires_at: str) -> dict[str, int]:
    return {"forget_at": int(datetime.fromisoformat(expires_at).timestamp())}


def _only(kind: Any, item: Item) -> Item:
    return {one.name: item[one.name] for one in fields(kind)}
