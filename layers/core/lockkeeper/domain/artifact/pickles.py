"""Follows a pickle as an unpickler would, without importing, calling or making anything.

What an unpickler would import and call is decided by its stack and memo, so those are followed exactly. Where unpicklers
differ (C, Python, joblib's), what any of them would do counts. Memory stays flat: values that can be neither a name nor an
array's description are not kept.
"""

from __future__ import annotations

import _compat_pickle
import io
import pickletools
from collections.abc import Callable

from lockkeeper.domain.artifact.arrays import OBJECTS, alignment, array_bytes, built_item_bytes
from lockkeeper.domain.artifact.findings import Exhausted, Unreadable
from lockkeeper.domain.artifact.machine import Machine
from lockkeeper.domain.artifact.stream import MemberFile
from lockkeeper.domain.artifact.values import DTYPE, OPAQUE, WRAPPERS, Global, Made, Opaque, Reading

SAMPLE = 1 << 16
ENDS_EARLY = ("it ends early", "the pickle ends early")
MOST_KEPT = 64
UFUNCS = frozenset({("numpy.core", "_ufunc_reconstruct"), ("numpy._core", "_ufunc_reconstruct")})
MADE_BY_STATE = frozenset({"xgboost", "lightgbm", "catboost", "_catboost"})
"""Boosters are made empty and given a state; what they do with arguments is another thing."""
MAKERS = frozenset({("copyreg", "_reconstructor"), ("copyreg", "__newobj__"), ("copyreg", "__newobj_ex__")})
CODES = {ord(op.code): op.name for op in pickletools.opcodes}
"""Every opcode there is; a test holds that each is followed."""


class Pickle(Machine):
    """One pickle, from the first opcode to STOP. `raw_arrays`: joblib's files, with arrays between the opcodes."""

    def __init__(self, file: MemberFile, reading: Reading, *, raw_arrays: bool = True) -> None:
        super().__init__(file, reading)
        self._raw_arrays = raw_arrays
        self._frame_end = 0
        self._done = False

    def follow(self) -> None:
        """To STOP; raises `Unreadable` where every unpickler would fail, or where this reader cannot go on soundly."""
        read, reading = self._file.read, self._reading
        while not self._done:
            code = read(1)
            if not code:
                raise Unreadable("the pickle ends early")
            action = ACTIONS.get(code[0])
            if action is None:
                raise Unreadable(f"byte {code[0]:#04x} is no opcode")
            reading.operations += 1
            if reading.operations > reading.most_operations:
                raise Exhausted("its pickles have more opcodes than anybody waits for")
            action(self)
        reading.pickles += 1

    # --- globals ---

    def name_lines(self) -> Global:
        module, name = self.line(), self.line()
        try:
            return self.named(module.decode("utf-8"), name.decode("utf-8"))
        except UnicodeDecodeError:
            raise Unreadable("a global whose name is no text") from None

    def named(self, module: str, name: str) -> Global:
        """What an unpickler imports for this name, noted. Protocols below 3 spell modules as Python 2 did."""
        if self._protocol < 3:
            if (module, name) in _compat_pickle.NAME_MAPPING:
                module, name = _compat_pickle.NAME_MAPPING[(module, name)]
            elif module in _compat_pickle.IMPORT_MAPPING:
                module = _compat_pickle.IMPORT_MAPPING[module]
        found = Global(module, name)
        self._reading.name(found, self._file.tell())
        return found

    def stack_global(self) -> object:
        name, module = self.pop(), self.pop()
        if isinstance(name, str) and isinstance(module, str):
            return self.named(module, name)
        self._reading.effects += 1
        self._reading.doubt("a global whose name is computed")
        return OPAQUE

    # --- making ---

    def call(self) -> object:
        arguments, called = self.pop(), self.pop()
        self._reading.effects += 1
        if not isinstance(called, Global):
            self._reading.doubt("a call of something that is no plain global")
            return OPAQUE
        given = arguments if isinstance(arguments, tuple) else ()
        if called in MAKERS:
            return self.make(given[0] if given else OPAQUE)
        if called in UFUNCS:
            # It imports what it is told to, as the opcode for globals does.
            if len(given) == 2 and isinstance(given[0], str) and isinstance(given[1], str):
                return self.named(given[0], given[1])
            self._reading.doubt("a function whose name is computed")
            return OPAQUE
        if called in WRAPPERS or any(isinstance(one, Global) and one in WRAPPERS for one in given):
            self._reading.doubt("an array's description that is made in an unusual way")
        if called.module.split(".")[0] in MADE_BY_STATE and called.name[:1].isupper():
            self._reading.doubt(f"{called} is called, which could be given a file to load")
        return Made(called, arguments) if called == DTYPE else self.made(called)

    def make(self, kind: object) -> object:
        """An instance of a class, without calling anything but its `__new__`."""
        self._reading.effects += 1
        if isinstance(kind, Global):
            return self.made(kind)
        self._reading.doubt("an instance of something that is no plain global")
        return OPAQUE

    def made(self, kind: Global) -> object:
        return Made(kind) if kind in WRAPPERS or kind == DTYPE else OPAQUE

    def build(self) -> None:
        state, target = self.pop(), self.top()
        self._reading.effects += 1
        if isinstance(target, Global):
            self._reading.doubt(f"a state that is set on {target} itself")
        if not isinstance(target, Made):
            return
        target.state, target.times_built = state, target.times_built + 1
        if target.of == DTYPE:
            target.item_bytes = built_item_bytes(target)
        if target.of in WRAPPERS and self._raw_arrays:
            if target.times_built > 1 or not self._descriptions_known:
                raise Unreadable("an array whose description cannot be followed")
            self._pass_array(state)
            self._stack[-1] = OPAQUE

    def _pass_array(self, state: object) -> None:
        """The array's own bytes, which joblib reads here and no opcode describes."""
        if self._file.tell() < self._frame_end:
            raise Unreadable("an array inside of a frame, which readers take from different places")
        size = array_bytes(state)
        if size == OBJECTS:
            Pickle(self._file, self._reading, raw_arrays=False).follow()
            return
        aligned = alignment(state)
        if aligned is not None:
            padding = self.number(1)
            if not 1 <= padding <= min(aligned, 32):
                # As an opcode, a byte up to 32 ends any other unpickler here; a greater one might not.
                raise Unreadable("an array that a plain unpickler would take for opcodes")
            self._file.skip(padding)
        elif size:
            begin = self._file.exactly(min(size, SAMPLE))
            self._not_opcodes(begin)
            size -= len(begin)
        self._file.skip(size)

    def _not_opcodes(self, begin: bytes) -> None:
        """Arrays of joblib before 1.2 begin at once; a plain unpickler, which takes them for opcodes, has to end there."""
        if begin[0] not in ACTIONS:
            return
        shadow = Pickle(MemberFile(io.BytesIO(begin).read), Reading(), raw_arrays=False)
        self.copied_to(shadow)
        try:
            shadow.follow()
        except Unreadable as end:
            if str(end) not in ENDS_EARLY and not shadow._reading.names and not shadow._reading.effects:
                return
        raise Unreadable("an array that a plain unpickler would take for opcodes")

    def collect(self, items: list[object], *, pairs: bool) -> None:
        """What APPENDS, SETITEMS and ADDITEMS do to the container below; names of a description are kept."""
        target = self.top()
        if isinstance(target, Global):
            self._reading.doubt(f"items that are put into {target} itself")
        if pairs and len(items) % 2:
            raise Unreadable("a key without a value")
        if not pairs or not isinstance(target, dict):
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, (str, Opaque)) and (key in target or len(target) < MOST_KEPT):
                target[key] = value

    def persistent(self, identity: object) -> None:
        """torch's storages are named like this; who else may resolve an identity is unknown."""
        storage = isinstance(identity, tuple) and identity[:1] == ("storage",) and len(identity) == 5
        if not storage or not isinstance(identity[1], Global):  # type: ignore[index]
            self._reading.persistent_ids = True
        self.push(OPAQUE)

    def frame(self) -> None:
        size = self.number(8)
        self._frame_end = max(self._frame_end, self._file.tell() + size)

    def declare(self) -> None:
        self._protocol = self.number(1)
        self._reading.declared = True
        if self._protocol > 5:
            raise Unreadable(f"a pickle of protocol {self._protocol}")

    def doubt_and_push(self, problem: str) -> None:
        self._reading.doubt(problem)
        self.push(OPAQUE)

    def stop(self) -> None:
        self.pop()
        self._done = True

    def instance(self) -> None:
        """INST: names a class and calls it with all above the mark."""
        kind = self.name_lines()
        self.pop_mark()
        self.push(self.make(kind))

    def object_of_class(self) -> None:
        items = self.pop_mark()
        if not items:
            raise Unreadable("an opcode takes more than there is")
        self.push(self.make(items[0]))

    def tuple_of(self, items: list[object]) -> None:
        self.push(tuple(items) if len(items) <= MOST_KEPT else OPAQUE)

    def last(self, number: int) -> list[object]:
        items = [self.pop() for _ in range(number)]
        return items[::-1]

    def new_object(self, number: int) -> None:
        self.push(self.make(self.last(number)[0]))

    def set_item(self) -> None:
        self.collect(self.last(2), pairs=True)

    def dict_of(self) -> None:
        items = self.pop_mark()
        self.push({})
        self.collect(items, pairs=True)

    def line_and_push(self) -> None:
        self.line()
        self.push(OPAQUE)

    def opaque_of_marked(self) -> None:
        self.pop_mark()
        self.push(OPAQUE)

    def extension(self, size: int) -> None:
        """A number of a registry that other code fills: what it imports cannot be known here."""
        self.number(size)
        self.doubt_and_push("a global of the extension registry")

    def persistent_line(self) -> None:
        self.line()
        self.persistent(OPAQUE)

    def skip_and_push(self, size: int) -> None:
        self._file.skip(size)
        self.push(OPAQUE)


Action = Callable[[Pickle], object]


def _positive(size: int) -> int:
    if size < 0:
        raise Unreadable("a negative size")
    return size


BY_NAME: dict[str, Action] = {
    "PROTO": Pickle.declare,
    "FRAME": Pickle.frame,
    "STOP": Pickle.stop,
    "MARK": Pickle.mark,
    "POP": Pickle.pop_one,
    "POP_MARK": Pickle.pop_mark,
    "DUP": lambda it: it.push(it.top()),
    "NONE": lambda it: it.push(None),
    "NEWTRUE": lambda it: it.push(True),
    "NEWFALSE": lambda it: it.push(False),
    "INT": lambda it: it.push(it.int_line()),
    "LONG": Pickle.line_and_push,
    "FLOAT": Pickle.line_and_push,
    "BININT": lambda it: it.push(it.number(4, signed=True)),
    "BININT1": lambda it: it.push(it.number(1)),
    "BININT2": lambda it: it.push(it.number(2)),
    "LONG1": lambda it: it.push(it.number(it.number(1), signed=True)),
    "LONG4": lambda it: it.skip_and_push(_positive(it.number(4, signed=True))),
    "BINFLOAT": lambda it: it.skip_and_push(8),
    "STRING": lambda it: it.push(it.quoted()),
    "UNICODE": lambda it: it.push(it.unicode_line()),
    "BINSTRING": lambda it: it.push(it.text(_positive(it.number(4, signed=True)))),
    "SHORT_BINSTRING": lambda it: it.push(it.text(it.number(1))),
    "SHORT_BINUNICODE": lambda it: it.push(it.text(it.number(1))),
    "BINUNICODE": lambda it: it.push(it.text(it.number(4))),
    "BINUNICODE8": lambda it: it.push(it.text(it.number(8))),
    "SHORT_BINBYTES": lambda it: it.skip_and_push(it.number(1)),
    "BINBYTES": lambda it: it.skip_and_push(it.number(4)),
    "BINBYTES8": lambda it: it.skip_and_push(it.number(8)),
    "BYTEARRAY8": lambda it: it.skip_and_push(it.number(8)),
    "NEXT_BUFFER": lambda it: it.doubt_and_push("a buffer that comes from elsewhere"),
    "READONLY_BUFFER": lambda it: it.top(),
    "EMPTY_LIST": lambda it: it.push(OPAQUE),
    "EMPTY_SET": lambda it: it.push(OPAQUE),
    "EMPTY_DICT": lambda it: it.push({}),
    "EMPTY_TUPLE": lambda it: it.push(()),
    "LIST": Pickle.opaque_of_marked,
    "FROZENSET": Pickle.opaque_of_marked,
    "DICT": Pickle.dict_of,
    "TUPLE": lambda it: it.tuple_of(it.pop_mark()),
    "TUPLE1": lambda it: it.tuple_of(it.last(1)),
    "TUPLE2": lambda it: it.tuple_of(it.last(2)),
    "TUPLE3": lambda it: it.tuple_of(it.last(3)),
    "APPEND": lambda it: it.collect(it.last(1), pairs=False),
    "APPENDS": lambda it: it.collect(it.pop_mark(), pairs=False),
    "ADDITEMS": lambda it: it.collect(it.pop_mark(), pairs=False),
    "SETITEM": Pickle.set_item,
    "SETITEMS": lambda it: it.collect(it.pop_mark(), pairs=True),
    "MEMOIZE": lambda it: it.memoize(),
    "PUT": lambda it: it.memoize(it.index_line()),
    "BINPUT": lambda it: it.memoize(it.number(1)),
    "LONG_BINPUT": lambda it: it.memoize(it.number(4)),
    "GET": lambda it: it.recall(it.index_line()),
    "BINGET": lambda it: it.recall(it.number(1)),
    "LONG_BINGET": lambda it: it.recall(it.number(4)),
    "GLOBAL": lambda it: it.push(it.name_lines()),
    "STACK_GLOBAL": lambda it: it.push(it.stack_global()),
    "INST": Pickle.instance,
    "OBJ": Pickle.object_of_class,
    "NEWOBJ": lambda it: it.new_object(2),
    "NEWOBJ_EX": lambda it: it.new_object(3),
    "REDUCE": lambda it: it.push(it.call()),
    "BUILD": Pickle.build,
    "EXT1": lambda it: it.extension(1),
    "EXT2": lambda it: it.extension(2),
    "EXT4": lambda it: it.extension(4),
    "PERSID": Pickle.persistent_line,
    "BINPERSID": lambda it: it.persistent(it.pop()),
}
ACTIONS = {code: BY_NAME[name] for code, name in CODES.items()}
