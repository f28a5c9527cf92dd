"""Features in a safetensors file, written as they come."""

from __future__ import annotations

import json
import os
import pathlib

import numpy as np

# Types of the format, by numpy's names.
_TYPES = {"float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64"}

# The first byte of the values. What comes before is the header's length and the header, which is written last:
# only then is the number of samples known. Spaces may follow it.
_START = 1024


class FeaturesFile:
    """A file with ``features`` and, if there are any, ``labels``; under its name once it is whole."""

    def __init__(self, path: str | os.PathLike, dtype):
        self.path = pathlib.Path(path)
        if self.path.suffix != ".safetensors" or self.path.is_dir():
            raise ValueError(f"path: expected a file that ends in .safetensors, found {self.path}")
        self.dtype = np.dtype(dtype).newbyteorder("<")
        if self.dtype.name not in _TYPES:
            raise ValueError(f"dtype: expected one of {', '.join(_TYPES)}, found {self.dtype.name}")
        self.shape = (0, 0)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> FeaturesFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._temporary.open("wb")
        self._file.write(b" " * _START)
        return self

    def __exit__(self, *_error) -> None:
        try:
            self._file.close()
        finally:
            self._temporary.unlink(missing_ok=True)

    def add(self, x: np.ndarray, labels: np.ndarray | None) -> None:
        """Write some samples, of shape (n_samples, n_features); their labels, which are written last, are only
        looked at."""
        n = self.shape[0]
        if n and x.shape[1] != self.shape[1]:
            raise ValueError(f"loader: expected {self.shape[1]} features, as before, found {x.shape[1]}")
        if not np.isfinite(x).all():
            row = n + int(np.flatnonzero(~np.isfinite(x).all(axis=1))[0])
            raise ValueError(
                f"loader: expected numbers that {self.dtype.name} can hold, found none such in sample {row}"
            )
        _check(labels, len(x))
        self._file.write(np.ascontiguousarray(x, self.dtype).tobytes())
        self.shape = (n + len(x), x.shape[1])

    def finish(self, labels: np.ndarray | None) -> np.memmap:
        """Write the rest, give the file its name, and return its features as a read-only memory map."""
        n, dim = self.shape
        end = n * dim * self.dtype.itemsize
        header = {"features": {"dtype": _TYPES[self.dtype.name], "shape": [n, dim], "data_offsets": [0, end]}}
        if labels is not None:
            _check(labels, n)
            self._file.write(labels.astype("<i8").tobytes())
            offsets = [end, end + 8 * n]
            header["labels"] = {"dtype": "I64", "shape": [n], "data_offsets": offsets}
        text = json.dumps(header).encode().ljust(_START - 8)
        self._file.seek(0)
        self._file.write(len(text).to_bytes(8, "little") + text)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self.path)
        return np.memmap(self.path, self.dtype, "r", _START, (n, dim))


def _check(labels: np.ndarray | None, n: int) -> None:
    if labels is not None and (labels.shape != (n,) or labels.dtype.kind not in "iub"):
        found = f"{labels.dtype.name} of shape {labels.shape}"
        raise ValueError(f"loader: expected the number of a class for each of {n} samples, found {found}")
