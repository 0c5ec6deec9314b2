"""The ledger in one DynamoDB table: keys `pk` and `sk`, one index `by_time` over releases."""

from lockkeeper.adapters.dynamodb.adoptions import Adoptions
from lockkeeper.adapters.dynamodb.approvals import Approvals
from lockkeeper.adapters.dynamodb.board import Board
from lockkeeper.adapters.dynamodb.locks import Locks
from lockkeeper.adapters.dynamodb.releases import Releases
from lockkeeper.adapters.dynamodb.retrainings import Retrainings
from lockkeeper.adapters.dynamodb.sessions import Sessions
from lockkeeper.adapters.dynamodb.told import Told


class DynamoDBLedger(Releases, Locks, Adoptions, Approvals, Told, Sessions, Board, Retrainings):
    """Implements `ports.Ledger`."""


__all__ = ["DynamoDBLedger"]
