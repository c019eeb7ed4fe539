"""Python's values as a frame carries them, and back.

A value in a frame: its kind, dtype and shape, then its data as they lie in memory. See frame.h of the host's room
`wire` for the layout.
"""
from __future__ import annotations

import array
import importlib.util
import json
import struct
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ._errors import InvalidInput
from ._tensor import DTYPES, NAMES, Tensor, count

JSON, BYTES, TENSOR = 1, 2, 3
MAX_DIMS = 32
ALIGNMENT = 64
_PADDING = tuple(bytes(-length % ALIGNMENT) for length in range(ALIGNMENT))
# kind, dtype, ndim, length of the name, length of the MIME type, 0, length of the data
HEAD = struct.Struct("<IIIIIIQ")
_COUNTS = struct.Struct("<II")
_SHAPES = tuple(struct.Struct(f"<{n}q") for n in range(MAX_DIMS + 1))

# A value to send: its head, padded, and its data.
Encoded = Tuple[bytes, Any]

_LITTLE = sys.byteorder == "little"
# By memoryview's format; "l" is as long as the machine says.
_BY_FORMAT: Dict[str, str] = {letter: name for name, (_, _, letter) in DTYPES.items()}
_BY_FORMAT.update({"l": "int64" if struct.calcsize("l") == 8 else "int32",
                   "L": "uint64" if struct.calcsize("L") == 8 else "uint32"})
_BY_FORMAT.update({"<" + letter: name for letter, name in list(_BY_FORMAT.items()) if letter not in "lL"})


def padding(length: int) -> bytes:
    return _PADDING[length % ALIGNMENT]


def _head(kind: int, dtype: int, shape: Sequence[int], name: str, length: int) -> bytes:
    label = name.encode()
    if len(label) > 0xFFFF:
        raise InvalidInput("the name of an input is longer than 65535 bytes")
    head = HEAD.pack(kind, dtype, len(shape), len(label), 0, 0, length) + _SHAPES[len(shape)].pack(*shape) + label
    return head + padding(len(head))


# The heads of arrays without a name, since most calls have the same few shapes.
_heads: Dict[Tuple[Any, Tuple[int, ...]], bytes] = {}
_MAX_HEADS = 256
_SMALL = 4096  # bytes of an array that are copied rather than sent from where they lie
# By dtype.str of NumPy.
_CODES: Dict[str, int] = {}
for _name, (_code, _size, _letter) in DTYPES.items():
    _kind = {"bool": "b", "float": "f", "int": "i", "uint": "u"}[_name.rstrip("0123456789")]
    _CODES[("|" if _size == 1 else "<") + _kind + str(_size)] = _code


def _encode_array(value: Any, name: str) -> Encoded:
    """A numpy.ndarray."""
    key = (value.dtype, value.shape)
    head = _heads.get(key) if not name else None
    if head is None:
        dtype = value.dtype
        if dtype.byteorder == ">" or (not _LITTLE and dtype.byteorder == "="):
            return _encode_array(value.astype(dtype.newbyteorder("<")), name)
        code = _CODES.get(dtype.str)
        if code is None:
            raise InvalidInput(f"an array of dtype {dtype} cannot be sent; convert it, for example with "
                               f".astype(\"float64\"), to one of {', '.join(DTYPES)}")
        head = _head(TENSOR, code, value.shape, name, value.nbytes)
        if not name and len(_heads) < _MAX_HEADS:
            _heads[key] = head
    if value.nbytes <= _SMALL:
        return head, value.tobytes()  # in C order, whatever the strides are
    if not value.flags.c_contiguous:
        value = value.copy(order="C")
    return head, value.reshape(-1).view("u1").data


def _encode_tensor(value: Tensor, name: str) -> Encoded:
    return _head(TENSOR, DTYPES[value.dtype][0], value.shape, name, value.nbytes), value.data


def _encode_buffer(value: Any, name: str) -> Encoded:
    """An array.array or a memoryview."""
    view = memoryview(value)
    dtype = _BY_FORMAT.get(view.format)
    if dtype is None or not _LITTLE:
        raise InvalidInput(f"a buffer of format {view.format!r} cannot be sent; it must be one of "
                           f"{', '.join(sorted(_BY_FORMAT))}")
    data = view if view.c_contiguous else memoryview(view.tobytes())
    return _encode_tensor(Tensor(dtype, view.shape or (), data), name)


def _encode_bytes(kind: int, data: Any, name: str) -> Encoded:
    return _head(kind, 0, (), name, len(data)), data


def _encode_json(value: Any, name: str) -> Encoded:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return _encode_bytes(JSON, text.encode(), name)
    except (TypeError, ValueError, RecursionError) as error:  # UnicodeEncodeError is a ValueError
        raise InvalidInput(f"the input cannot be written as JSON: {error}") from error


def _flatten(value: Any, shape: List[int], out: List[Any], depth: int = 0) -> None:
    if depth > MAX_DIMS:
        raise InvalidInput(f"the lists are nested more than {MAX_DIMS} deep")
    if isinstance(value, (list, tuple)):
        if depth == len(shape):
            if out:
                raise InvalidInput("the lists are ragged: some elements are lists, others are numbers")
            shape.append(len(value))
        if len(value) != shape[depth]:
            raise InvalidInput(f"the lists are ragged: on axis {depth} one has {shape[depth]} elements, another "
                               f"{len(value)}")
        for each in value:
            _flatten(each, shape, out, depth + 1)
    elif depth != len(shape):
        raise InvalidInput("the lists are ragged: some elements are lists, others are numbers")
    else:
        out.append(value)


def tensor_of(value: Any, dtype: str = "any") -> Tensor:
    """Nested lists of numbers, or one number, as a Tensor."""
    shape: List[int] = []
    flat: List[Any] = []
    _flatten(value, shape, flat)
    if dtype == "any":
        if flat and all(isinstance(each, bool) for each in flat):
            dtype = "bool"
        else:
            dtype = "int64" if flat and all(isinstance(each, int) for each in flat) else "float64"
    if dtype == "bool" and not all(isinstance(each, bool) for each in flat):
        raise InvalidInput("the method takes bool: True and False, no other values")
    try:
        data = struct.pack(f"<{len(flat)}{DTYPES[dtype][2]}", *flat)
    except (struct.error, OverflowError, TypeError) as error:
        wrong = next((each for each in flat if not _fits(each, dtype)), None)
        raise InvalidInput(f"the method takes {dtype}, which {wrong!r} does not fit into") from error
    return Tensor(dtype, shape, data)


def _fits(value: Any, dtype: str) -> bool:
    try:
        struct.pack("<" + DTYPES[dtype][2], value)
        return True
    except (struct.error, OverflowError, TypeError):
        return False


def is_ambiguous(value: Any) -> bool:
    """Whether it depends on the method what the value is sent as: numbers and lists may be arrays or JSON, text may be
    JSON or text."""
    return isinstance(value, (list, tuple, str, int, float)) and not isinstance(value, bool)


def encode(value: Any, spec: Optional[Dict[str, Any]], name: str = "") -> Encoded:
    """`spec` is the method's declaration of its input, for values that are ambiguous without it."""
    if not name:
        # The most frequent case: a small array of a dtype and shape that have been sent before.
        try:
            head = _heads.get((value.dtype, value.shape))
            if head is not None and value.nbytes <= _SMALL:
                return head, value.tobytes()
        except (AttributeError, TypeError):
            pass
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.ndarray):
            return _encode_array(value, name)
        if isinstance(value, numpy.generic):
            return _encode_array(numpy.asarray(value), name)
    if isinstance(value, (bytes, bytearray)):
        return _encode_bytes(BYTES, value, name)
    if isinstance(value, Tensor):
        return _encode_tensor(value, name)
    if isinstance(value, (memoryview, array.array)):
        return _encode_buffer(value, name)
    if is_ambiguous(value) and spec is not None and spec["kind"] != "json":
        if spec["kind"] == "tensor":
            if isinstance(value, str):
                raise InvalidInput(f"the method takes an array, got the text {value[:40]!r}")
            if numpy is not None and isinstance(value, (list, tuple)):
                value = _with_rows_as_lists(value, numpy)
            return _encode_tensor(tensor_of(value, spec["dtype"]), name)
        if isinstance(value, str):
            return _encode_bytes(BYTES, value.encode(), name)
        raise InvalidInput(f"the method takes bytes, got {type(value).__name__}")
    to_numpy = getattr(value, "to_numpy", None)  # a DataFrame or a Series
    if to_numpy is None and not isinstance(value, (list, tuple, str, int, float, dict, type(None))):
        to_numpy = getattr(value, "__array__", None)  # a tensor of a framework
    if to_numpy is not None:
        made = to_numpy()
        if made.dtype == object:
            raise InvalidInput(f"this {type(value).__name__} has columns of mixed types or of objects; select the "
                               "numeric ones, or convert it with .astype(\"float64\")")
        return _encode_array(made, name)
    return _encode_json(value, name)


def _with_rows_as_lists(value: Any, numpy: Any) -> Any:
    """A list of arrays, or of NumPy's numbers, as lists of Python's."""
    if isinstance(value, (list, tuple)):
        return [_with_rows_as_lists(each, numpy) for each in value]
    return value.tolist() if isinstance(value, (numpy.ndarray, numpy.generic)) else value


# ---- results ----------------------------------------------------------------------------------

_numpy_dtypes: Dict[int, Any] = {}
_from_buffer: Any = None  # numpy.frombuffer


def has_numpy() -> bool:
    """Whether arrays can be NumPy's; loads it, so that the type of results never depends on who did so before."""
    global _from_buffer
    if _numpy_dtypes:
        return True
    if "numpy" not in sys.modules and importlib.util.find_spec("numpy") is None:
        return False
    import numpy
    _from_buffer = numpy.frombuffer
    _numpy_dtypes.update({code: numpy.dtype(text) for text, code in _CODES.items()})
    return True


def _decode(body: memoryview, at: int, arrays: str) -> Tuple[Any, int]:
    """The value at `at`, and where it ends."""
    kind, dtype, ndim, name_length, mime_length, _, length = HEAD.unpack_from(body, at)
    shape_at = at + HEAD.size
    mime_at = shape_at + 8 * ndim + name_length
    data_at = -(-(mime_at + mime_length) // ALIGNMENT) * ALIGNMENT
    end = data_at + length
    if end > len(body):
        raise ValueError("a value is cut short")
    if kind == TENSOR:
        shape = _SHAPES[ndim].unpack_from(body, shape_at)
        data = bytearray(body[data_at:end])  # may be written to
        if arrays == "numpy":
            made = _from_buffer(data, _numpy_dtypes[dtype])
            return (made if ndim == 1 else made.reshape(shape)), end
        tensor = Tensor(NAMES[dtype], shape, data)
        return (tensor.tolist() if arrays == "list" else tensor), end
    raw = bytes(body[data_at:end])
    if kind == JSON:
        return json.loads(raw), end
    if bytes(body[mime_at:mime_at + mime_length]).startswith(b"text/"):
        return raw.decode(), end
    return raw, end


def decode_result(body: memoryview, arrays: str) -> Any:
    """The values of a result: one alone, several as a tuple, None if there are none."""
    _, values = _COUNTS.unpack_from(body)
    if values == 1:
        return _decode(body, ALIGNMENT, arrays)[0]
    found, at = [], _COUNTS.size
    for _ in range(values):
        value, at = _decode(body, -(-at // ALIGNMENT) * ALIGNMENT, arrays)
        found.append(value)
    return tuple(found) if found else None
