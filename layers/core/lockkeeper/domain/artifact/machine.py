"""The stack, the memo and the arguments of a pickle, followed exactly and in flat memory."""

from __future__ import annotations

from lockkeeper.domain.artifact.findings import Unreadable
from lockkeeper.domain.artifact.stream import MemberFile
from lockkeeper.domain.artifact.values import OPAQUE, Global, Made, Reading, keep_text

MOST_ON_STACK = 10_000_000
MOST_MARKS = 100_000
MOST_MEMO = 200_000_000
MOST_DICTS = 500_000
SEEN, FORGOTTEN = 1, 2
"""What is known of a memo's entry that is not kept; a dictionary that is forgotten may be changed unseen."""
LONGEST_NAME = 1000


class Machine:
    """What every opcode works on. Errors of its methods are `Unreadable`: no unpickler would go on there."""

    def __init__(self, file: MemberFile, reading: Reading) -> None:
        self._file = file
        self._reading = reading
        self._stack: list[object] = []
        self._below: list[list[object]] = []
        self._memo: dict[int, object] = {}
        self._memo_seen = bytearray()
        self._memo_size = 0
        self._dicts_kept = 0
        self._descriptions_known = True
        self._protocol = 0

    # --- stack and memo ---

    def push(self, value: object) -> None:
        self._stack.append(value)
        if len(self._stack) > MOST_ON_STACK:
            raise Unreadable("a stack without end")

    def pop(self) -> object:
        if not self._stack:
            raise Unreadable("an opcode takes more than there is")
        return self._stack.pop()

    def top(self) -> object:
        if not self._stack:
            raise Unreadable("an opcode takes more than there is")
        return self._stack[-1]

    def mark(self) -> None:
        self._below.append(self._stack)
        self._stack = []
        if len(self._below) > MOST_MARKS:
            raise Unreadable("marks without end")

    def pop_mark(self) -> list[object]:
        if not self._below:
            raise Unreadable("an opcode wants a mark that is not there")
        items, self._stack = self._stack, self._below.pop()
        return items

    def pop_one(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self.pop_mark()

    def memoize(self, index: int | None = None) -> None:
        value = self.top()
        index = self._memo_size if index is None else index
        if not 0 <= index < MOST_MEMO:
            raise Unreadable("a memo without end")
        if index >= len(self._memo_seen):
            self._memo_seen.extend(bytes(max(index + 1 - len(self._memo_seen), 1024)))
        self._memo_size += not self._memo_seen[index]
        self._memo_seen[index] = SEEN
        self._memo.pop(index, None)
        if isinstance(value, dict):
            if self._dicts_kept >= MOST_DICTS:
                self._memo_seen[index] = FORGOTTEN
                return
            self._dicts_kept += 1
            self._memo[index] = value
        elif isinstance(value, (str, Made, Global)) or (isinstance(value, tuple) and _plain(value)):
            self._memo[index] = value

    def recall(self, index: int) -> None:
        if not 0 <= index < len(self._memo_seen) or not self._memo_seen[index]:
            raise Unreadable("the memo is asked for what it does not have")
        if self._memo_seen[index] == FORGOTTEN:
            # What is put into it from now on is not seen, and it may be the description of an array.
            self._descriptions_known = False
        self.push(self._memo.get(index, OPAQUE))

    # --- arguments ---

    def number(self, size: int, *, signed: bool = False) -> int:
        return int.from_bytes(self._file.exactly(size), "little", signed=signed)

    def line(self) -> bytes:
        """To the end of the line, without it; of a longer one its beginning.

        Where the file ends before the line does, Python's own unpickler goes on with what there is but its last byte.
        """
        kept = self._file.readline(LONGEST_NAME)
        part = kept
        while part and not part.endswith(b"\n"):
            part = self._file.readline(1 << 18)
        return kept[:-1] if len(kept) < LONGEST_NAME else kept

    def text(self, size: int) -> object:
        if size > LONGEST_NAME:
            self._file.skip(size)
            return OPAQUE
        return _lenient(self._file.exactly(size))

    def quoted(self) -> object:
        raw = self.line().strip()
        if len(raw) < LONGEST_NAME - 1 and (len(raw) < 2 or raw[:1] != raw[-1:] or raw[:1] not in b"\"'"):
            raise Unreadable("a text without quotes")
        # An escape spells another text than it shows.
        return OPAQUE if b"\\" in raw else _lenient(raw[1:-1])

    def unicode_line(self) -> object:
        raw = self.line()
        return OPAQUE if b"\\" in raw else _lenient(raw)

    def index_line(self) -> int:
        try:
            return int(self.line())
        except ValueError:
            raise Unreadable("a memo's number that is none") from None

    def int_line(self) -> object:
        raw = self.line()
        if raw in (b"00", b"01"):
            return raw == b"01"
        try:
            return int(raw)
        except ValueError:
            return OPAQUE

    def copied_to(self, other: Machine) -> None:
        """Give another machine the same stack and memo."""
        other._stack, other._below = self._stack.copy(), [part.copy() for part in self._below]
        other._memo, other._memo_seen = self._memo.copy(), self._memo_seen.copy()
        other._memo_size, other._protocol = self._memo_size, self._protocol


def _plain(items: tuple[object, ...]) -> bool:
    return len(items) <= 32 and all(isinstance(item, int) for item in items)


def _lenient(raw: bytes) -> object:
    try:
        return keep_text(raw)
    except UnicodeDecodeError:
        return OPAQUE
