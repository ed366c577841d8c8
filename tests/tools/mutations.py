"""Mutations of model files: bytes, numbers, fields of protobuf messages and of flatbuffer tables.

    mutated("tflite", content, 17)

gives the same file for the same seed, so that a fault is found again by its number.
"""

import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flatbuffers
import onnx
import tflite
from flatbuffers import number_types
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import EncodeError, Message

INTEGERS = (
    *(0, 1, -1, 2, 3, 4, 5, 7, 8, 13, 16, 127, 128, 255, 256, -128, 32767, 65535, 65536, 1 << 20),
    *(2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**62, 2**63 - 1, -(2**63)),
)
FLOATS = (
    *(0.0, -0.0, 1.0, -1.0, 0.5, 1e-3, 255.0, 1e-8, 1e-38, 1e-45, 1e8, 3.4e38, -3.4e38),
    *(float("inf"), float("-inf"), float("nan")),
)
STRINGS = (
    *(b"", b"x", b"*/", b"/*", b"\n", b"\\", b'"', b"%s%n", b"?" * 3 + b"/", b"\0", b"a" * 5000, b"../../x"),
    *(b"\xff\xfe", b"\xed\xa0\x80", "\u202e\u0000\U0001f600".encode(), b"int", b"[red]", b"[/x]", b"NHWC"),
)


def mutated(form: str, content: bytes, seed: int) -> bytes:
    """A mutation of a "tflite" or "onnx" file."""
    generator = random.Random(seed)
    structured = _mutated_flatbuffer if form == "tflite" else _mutated_protobuf
    mutate = structured if generator.random() < 0.7 else _mutated_bytes
    return mutate(content, generator)


def _count(generator: random.Random) -> int:
    """How many mutations at once: mostly one, as a file that is wrong twice is refused for the first."""
    return generator.choice((1, 1, 1, 1, 2, 2, 4, 16))


# Bytes


def _mutated_bytes(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(_count(generator)):
        generator.choice((_flip, _flip, _overwrite, _overwrite, _cut, _insert, _remove, _copy))(
            changed, generator
        )
    return bytes(changed)


def _position(changed: bytearray, generator: random.Random) -> int:
    """Anywhere, or where tables and names tend to stand."""
    size = max(len(changed), 1)
    near_start = generator.randrange(min(size, 1000))
    near_end = size - 1 - generator.randrange(min(size, 3000))
    return generator.choice((generator.randrange(size), near_start, near_end))


def _flip(changed: bytearray, generator: random.Random) -> None:
    if changed:
        changed[_position(changed, generator)] ^= 1 << generator.randrange(8)


def _overwrite(changed: bytearray, generator: random.Random) -> None:
    """A number in place of what there is."""
    number = generator.choice(INTEGERS)
    value = generator.choice(
        (
            (number % 2**8).to_bytes(1, "little"),
            (number % 2**32).to_bytes(4, "little"),
            (number % 2**64).to_bytes(8, "little"),
            struct.pack("<f", generator.choice(FLOATS)),
            generator.choice(STRINGS)[:20],
        )
    )
    start = _position(changed, generator)
    changed[start : start + len(value)] = value


def _cut(changed: bytearray, generator: random.Random) -> None:
    del changed[_position(changed, generator) :]


def _insert(changed: bytearray, generator: random.Random) -> None:
    start = _position(changed, generator)
    changed[start:start] = generator.randbytes(generator.choice((1, 2, 4, 8, 100)))


def _remove(changed: bytearray, generator: random.Random) -> None:
    start = _position(changed, generator)
    del changed[start : start + generator.choice((1, 2, 4, 8, 100))]


def _copy(changed: bytearray, generator: random.Random) -> None:
    """A run of bytes from elsewhere."""
    size = generator.choice((1, 4, 8, 16, 64))
    source, target = _position(changed, generator), _position(changed, generator)
    changed[target : target + size] = changed[source : source + size]


# Protobuf


@dataclass(frozen=True, eq=False)
class _Field:
    """A field that is set in one of the messages of a file."""

    message: Message
    descriptor: FieldDescriptor

    @property
    def value(self) -> Any:
        """The number, the text, the message or the list of them."""
        return getattr(self.message, self.descriptor.name)

    @property
    def is_message(self) -> bool:
        """Whether it holds messages."""
        return self.descriptor.type == FieldDescriptor.TYPE_MESSAGE


def _fields(message: Message) -> Iterator[_Field]:
    """All fields that are set, depth first."""
    for descriptor, value in message.ListFields():
        yield _Field(message, descriptor)
        if descriptor.type == FieldDescriptor.TYPE_MESSAGE:
            for item in value if descriptor.is_repeated else [value]:
                yield from _fields(item)


def _mutated_protobuf(content: bytes, generator: random.Random) -> bytes:
    model = onnx.ModelProto()
    model.ParseFromString(content)
    for _ in range(_count(generator)):
        fields = list(_fields(model))
        if fields:
            # Of each kind of field as often: a model has many more names than attributes.
            names = sorted({field.descriptor.full_name for field in fields})
            name = generator.choice(names)
            field = generator.choice([field for field in fields if field.descriptor.full_name == name])
            _change_field(field, fields, generator)
    try:
        return model.SerializeToString()
    except EncodeError:
        return content


def _change_field(field: _Field, fields: list[_Field], generator: random.Random) -> None:
    """Delete, exchange or replace what a field holds."""
    if field.descriptor.is_repeated:
        _change_list(field, fields, generator)
    elif generator.random() < 0.2:
        field.message.ClearField(field.descriptor.name)
    elif field.is_message:
        other = _another(field, fields, generator)
        field.value.CopyFrom(generator.choice(other.value) if other.descriptor.is_repeated else other.value)
    else:
        setattr(field.message, field.descriptor.name, _new_value(field, field.value, fields, generator))


def _change_list(field: _Field, fields: list[_Field], generator: random.Random) -> None:
    items = field.value
    first, second = generator.randrange(len(items)), generator.randrange(len(items))
    action = generator.randrange(6)
    if action == 0:
        del items[first]
    elif action == 1 and field.is_message:
        items.add().CopyFrom(items[first])
    elif action == 1:
        items.insert(second, items[first])
    elif action == 2:
        kept = [items[index] for index in range(len(items))]
        kept[first], kept[second] = kept[second], kept[first]
        if field.is_message:
            copies = [type(item)() for item in kept]
            for copy, item in zip(copies, kept, strict=True):
                copy.CopyFrom(item)
            kept = copies
        del items[:]
        items.extend(kept)
    elif action == 3 and generator.random() < 0.3:
        field.message.ClearField(field.descriptor.name)
    elif field.is_message:
        other = _another(field, fields, generator)
        source = generator.choice(other.value) if other.descriptor.is_repeated else other.value
        copy = type(source)()
        copy.CopyFrom(source)
        items[first].CopyFrom(copy)
    else:
        items[first] = _new_value(field, items[first], fields, generator)


def _another(field: _Field, fields: list[_Field], generator: random.Random) -> _Field:
    """A field that holds messages of the same type."""
    kind = field.descriptor.message_type
    return generator.choice(
        [one for one in fields if one.is_message and one.descriptor.message_type is kind] or [field]
    )


def _new_value(field: _Field, old: Any, fields: list[_Field], generator: random.Random) -> Any:
    """Another value of a field's type, often one that stands elsewhere in the file."""
    kind = field.descriptor.type
    if kind == FieldDescriptor.TYPE_ENUM:
        return generator.choice(field.descriptor.enum_type.values).number
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return generator.choice(FLOATS)
    if kind in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        return _new_text(field, old, fields, generator)
    number = old + generator.choice((-1, 1)) if generator.random() < 0.3 else generator.choice(INTEGERS)
    bits = 63 if "64" in field.descriptor.name or kind == FieldDescriptor.TYPE_INT64 else 31
    is_signed = kind not in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
    number %= 2**bits
    return number - 2**bits if is_signed and generator.random() < 0.2 else number


def _new_text(field: _Field, old: Any, fields: list[_Field], generator: random.Random) -> Any:
    if field.descriptor.type == FieldDescriptor.TYPE_BYTES:
        if generator.random() < 0.3:
            return generator.choice(STRINGS)
        changed = bytearray(old)
        generator.choice((_flip, _overwrite, _cut))(changed, generator)
        return bytes(changed)
    if generator.random() < 0.6:
        texts = sorted(
            {
                text
                for one in fields
                if one.descriptor.type == FieldDescriptor.TYPE_STRING
                for text in (one.value if one.descriptor.is_repeated else [one.value])
            }
        )
        return generator.choice(texts)
    return generator.choice(STRINGS).decode("utf-8", "replace")


# Flatbuffers


@dataclass(frozen=True)
class _Site:
    """A place of a flatbuffer.

    kind: "entry" of a vtable, "offset" to a table, vector or string, "length" of a vector or string, or
        "number".
    position: of its first byte. form: of a number, as `struct` has it.
    """

    kind: str
    position: int
    form: str


class _Recorder(flatbuffers.table.Table):  # type: ignore[misc]
    """A table that notes what the generated code reads of it."""

    def __init__(self, content: bytes, position: int, sites: set[_Site]) -> None:
        super().__init__(content, position)
        self.sites = sites

    def Offset(self, vtableOffset: int) -> int:  # noqa: N802, N803
        found = int(super().Offset(vtableOffset))
        if found:
            vtable = self.Pos - self.Get(number_types.SOffsetTFlags, self.Pos)
            self.sites.add(_Site("entry", vtable + vtableOffset, "<H"))
        return found

    def Get(self, flags: Any, off: int) -> Any:  # noqa: N802
        value = super().Get(flags, off)
        if flags not in (number_types.SOffsetTFlags, number_types.VOffsetTFlags):
            form = {"uint8": "<B", "int8": "<b", "bool": "<B"}.get(
                flags.name
            ) or "<" + flags.packer_type.format[1:]
            self.sites.add(_Site("number", off, form))
        return value

    def Vector(self, off: int) -> int:  # noqa: N802
        start = int(super().Vector(off))
        self.sites |= {_Site("offset", off + self.Pos, "<I"), _Site("length", start - 4, "<I")}
        return start

    def Indirect(self, off: int) -> int:  # noqa: N802
        self.sites.add(_Site("offset", off, "<I"))
        return int(super().Indirect(off))

    def String(self, off: int) -> bytes:  # noqa: N802
        self.sites |= {_Site("offset", off, "<I"), _Site("length", int(super().Indirect(off)), "<I")}
        return bytes(super().String(off))


_MOST_ELEMENTS = 12
_OPTIONS = {value: name for name, value in vars(tflite.BuiltinOptions).items() if isinstance(value, int)}


@lru_cache(maxsize=64)
def _sites(content: bytes) -> tuple[_Site, ...]:
    """What the tables of a sound file consist of."""
    sites: set[_Site] = set()
    _visit(tflite.Model.GetRootAs(content, 0), content, sites)
    return tuple(sorted(sites, key=lambda site: (site.position, site.kind)))


def _visit(table: Any, content: bytes, sites: set[_Site]) -> None:
    table._tab = _Recorder(content, table._tab.Pos, sites)
    for name in dir(type(table)):
        length = getattr(table, f"{name}Length", None)
        if name.startswith(("_", "GetRoot")) or name.endswith(("Length", "AsNumpy", "IsNone")):
            continue
        if length is not None:
            values = [getattr(table, name)(index) for index in range(min(length(), _MOST_ELEMENTS))]
        elif name in ("Init", f"{type(table).__name__}BufferHasIdentifier"):
            continue
        else:
            values = [getattr(table, name)()]
        for value in values:
            if isinstance(value, flatbuffers.table.Table):
                if name != "BuiltinOptions" or table.BuiltinOptionsType() not in _OPTIONS:
                    continue
                options = getattr(tflite, _OPTIONS[table.BuiltinOptionsType()])()
                options.Init(value.Bytes, value.Pos)
                value = options
            if hasattr(value, "_tab"):
                _visit(value, content, sites)


def _mutated_flatbuffer(content: bytes, generator: random.Random) -> bytes:
    changed = bytearray(content)
    sites = _sites(content)
    by_kind: dict[str, list[_Site]] = {}
    for site in sites:
        by_kind.setdefault(site.kind, []).append(site)
    for _ in range(_count(generator)):
        kind = generator.choice(("entry", "offset", "length", "number", "number", "number"))
        site = generator.choice(by_kind[kind])
        other = generator.choice([one for one in by_kind[kind] if one.form == site.form])
        change = _SITE_CHANGES[kind]
        new = change(changed, site, other, generator)
        size = struct.calcsize(site.form)
        if site.form in ("<f", "<d"):
            changed[site.position : site.position + size] = struct.pack(site.form, new)
        else:
            changed[site.position : site.position + size] = (int(new) % 2 ** (8 * size)).to_bytes(
                size, "little"
            )
    return bytes(changed)


def _read(changed: bytearray, site: _Site) -> Any:
    return struct.unpack_from(site.form, changed, site.position)[0]


def _new_entry(changed: bytearray, site: _Site, other: _Site, generator: random.Random) -> int:
    """A field is gone, or another one's bytes are taken for it."""
    return generator.choice((0, 0, int(_read(changed, other)), generator.randrange(64)))


def _new_offset(changed: bytearray, site: _Site, other: _Site, generator: random.Random) -> int:
    """To where another offset leads, somewhere near, or nowhere."""
    target = other.position + int(_read(changed, other))
    return generator.choice(
        (
            target - site.position,
            target - site.position,
            int(_read(changed, site)) + 4,
            generator.choice(INTEGERS),
        )
    )


def _new_length(changed: bytearray, site: _Site, other: _Site, generator: random.Random) -> int:
    length = int(_read(changed, site))
    return generator.choice((0, length - 1, length + 1, length // 2, generator.choice(INTEGERS)))


def _new_number(changed: bytearray, site: _Site, other: _Site, generator: random.Random) -> float:
    """One that stands elsewhere in the file, a neighbour, or one of those that are often forgotten."""
    if site.form in ("<f", "<d"):
        return generator.choice(
            (float(_read(changed, other)), generator.choice(FLOATS), generator.choice(FLOATS))
        )
    step = generator.choice((-1, 1))
    return generator.choice(
        (int(_read(changed, other)), int(_read(changed, site)) + step, generator.choice(INTEGERS))
    )


_SITE_CHANGES: dict[str, Callable[[bytearray, _Site, _Site, random.Random], float]] = {
    "entry": _new_entry,
    "offset": _new_offset,
    "length": _new_length,
    "number": _new_number,
}
