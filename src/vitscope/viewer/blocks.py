"""Arrays side by side in blocks of bytes, little-endian; the browser decodes a block when it needs it."""

import hashlib
from typing import Any

import numpy as np

SMALL = 0  # the block of all that a page needs at once
_ALIGNMENT = 4  # bytes: what a Float32Array over the block needs
_LARGE_BYTES = 2**18  # shared arrays from this size on get a block of their own


class Blocks:
    """Collects arrays; says of each in which block and where it lies."""

    def __init__(self) -> None:
        self._blocks = [bytearray()]
        self._shared: dict[bytes, dict[str, Any]] = {}

    @property
    def sizes(self) -> list[int]:
        return [len(block) for block in self._blocks]

    def new(self) -> int:
        """Index of a new, empty block."""
        self._blocks.append(bytearray())
        return len(self._blocks) - 1

    def put(self, array: np.ndarray, block: int = SMALL) -> dict[str, Any]:
        """Write an array, float16 and int16 as they are and all else as float32; the payload's `Numbers` of it."""
        dtype = array.dtype.name if array.dtype.name in ("float16", "int16") else "float32"
        data = self._blocks[block]
        data.extend(bytes(-len(data) % _ALIGNMENT))
        offset = len(data)
        data.extend(np.ascontiguousarray(array, np.dtype(dtype).newbyteorder("<")).tobytes())
        return {
            "block": block,
            "offset": offset,
            "dtype": dtype,
            "shape": list(array.shape),
        }

    def put_once(self, array: np.ndarray) -> dict[str, Any]:
        """Write an array, unless an equal one was written so before; its `Numbers`."""
        array = np.ascontiguousarray(array)
        digest = hashlib.sha256(f"{array.dtype}{array.shape}".encode())
        digest.update(array.data)
        key = digest.digest()
        if key not in self._shared:
            self._shared[key] = self.put(array, self.new() if array.nbytes >= _LARGE_BYTES else SMALL)
        return self._shared[key]

    def take(self) -> list[bytes]:
        """The blocks' bytes; they are no longer held here, so that memory holds them about once."""
        out: list[bytes] = []
        for i in range(len(self._blocks)):
            out.append(bytes(self._blocks[i]))
            self._blocks[i] = bytearray()
        return out
