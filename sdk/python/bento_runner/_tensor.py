"""Tensor: an array where there is no NumPy."""
from __future__ import annotations

import struct
from typing import Any, Dict, Iterator, List, Sequence, Tuple, Union

# dtype: its code in a frame, its size, its letter in struct and memoryview.
DTYPES: Dict[str, Tuple[int, int, str]] = {
    "bool": (1, 1, "?"), "int8": (2, 1, "b"), "int16": (3, 2, "h"), "int32": (4, 4, "i"), "int64": (5, 8, "q"),
    "uint8": (6, 1, "B"), "uint16": (7, 2, "H"), "uint32": (8, 4, "I"), "uint64": (9, 8, "Q"),
    "float16": (10, 2, "e"), "float32": (11, 4, "f"), "float64": (12, 8, "d"),
}
NAMES: Dict[int, str] = {code: name for name, (code, _, _) in DTYPES.items()}


def count(shape: Sequence[int]) -> int:
    product = 1
    for extent in shape:
        product *= extent
    return product


class Tensor:
    """An array of numbers in C order: `dtype` as NumPy names it, `shape`, and the bytes `data` (little-endian).

    It has what one needs of an array without NumPy: len(), iteration and [] along the first axis, tolist(), item().
    NumPy makes an array of it without a copy: numpy.asarray(tensor).
    """
    __slots__ = ("dtype", "shape", "data")

    def __init__(self, dtype: str, shape: Sequence[int], data: Any) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"there is no dtype {dtype!r}, but {', '.join(DTYPES)}")
        view = memoryview(data)
        if not view.c_contiguous:
            raise ValueError("the data must be contiguous, in C order")
        view = view.cast("B") if view.nbytes else memoryview(b"")
        size = count(shape) * DTYPES[dtype][1]
        if min(shape, default=0) < 0 or view.nbytes != size:
            raise ValueError(f"{dtype} of shape {tuple(shape)} has {size} bytes, not {view.nbytes}")
        self.dtype, self.shape, self.data = dtype, tuple(shape), view

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return count(self.shape)

    @property
    def nbytes(self) -> int:
        return self.data.nbytes

    def _flat(self) -> Tuple[Any, ...]:
        letter = DTYPES[self.dtype][2]
        return struct.unpack(f"<{self.size}{letter}", self.data)

    def tolist(self) -> Any:
        """Nested lists; a number if there is no axis."""
        flat = self._flat()
        if not self.shape:
            return flat[0]
        nested: List[Any] = list(flat)
        for axis in range(len(self.shape) - 1, 0, -1):
            extent, rows = self.shape[axis], count(self.shape[:axis])
            nested = [nested[i * extent:(i + 1) * extent] for i in range(rows)]
        return nested

    def item(self) -> Union[int, float, bool]:
        """The number, if it is the only one."""
        if self.size != 1:
            raise ValueError(f"it has {self.size} elements")
        return self._flat()[0]

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a tensor without axes")
        return self.shape[0]

    def __getitem__(self, index: int) -> Any:
        rows = len(self)
        if index < 0:
            index += rows
        if not 0 <= index < rows:
            raise IndexError(f"index {index} of {rows}")
        inner = self.shape[1:]
        size = count(inner) * DTYPES[self.dtype][1]
        row = Tensor(self.dtype, inner, self.data[index * size:(index + 1) * size])
        return row if inner else row.item()

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        return (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)

    __hash__ = None  # type: ignore[assignment]

    @property
    def __array_interface__(self) -> Dict[str, Any]:
        kind = {"b": "i", "B": "u", "?": "b", "h": "i", "H": "u", "i": "i", "I": "u", "q": "i", "Q": "u",
                "e": "f", "f": "f", "d": "f"}[DTYPES[self.dtype][2]]
        size = DTYPES[self.dtype][1]
        order = "|" if size == 1 else "<"
        return {"version": 3, "shape": self.shape, "typestr": f"{order}{kind}{size}", "data": self.data}

    def __repr__(self) -> str:
        return f"Tensor({self.dtype}, shape={self.shape})"
