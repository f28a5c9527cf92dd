"""Arrays, labels and groups as the native part takes them."""

from __future__ import annotations

import numbers
import operator
import os

import numpy as np

# Features that would take more bytes as float32 than this stay in their file, as for the program, or in the
# 16-bit type that they have.
_IN_MEMORY = 4 << 30

# Rows of a file that are compared with what the array shows.
_LOOKS = 64

# Types of values that may stay in their file, by numpy's names.
_IN_FILE = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}

# Types of values that may stay as they are.
_HALVES = {"float16": "f16", "bfloat16": "bf16"}


def features(x, what="x") -> np.ndarray:
    """Features as float32 in C order; those that are so already, or can stay in their file or type, as they
    are."""
    if hasattr(x, "detach"):
        x = x.detach().cpu()
        x = x.numpy() if str(x.dtype) == "torch.float16" else x.float().numpy()
    if in_file(x) is None and as_halves(x) is None:
        x = in_memory(x)
    if x.ndim != 2:
        raise ValueError(f"{what}: expected features of shape (n_samples, n_features), found {x.shape}")
    return x


def handed_over(x):
    """Features for the native part: an array, its bytes and its type, or where they are in their file."""
    return in_file(x) or as_halves(x) or in_memory(x)


def in_memory(x) -> np.ndarray:
    """Features as the native part reads them, without copying what is so already."""
    return np.require(x, np.float32, ["C_CONTIGUOUS", "ALIGNED"])


def as_halves(x):
    """The bytes and the type of a large array of 16-bit numbers in C order; else None."""
    if not _may_stay(x, _HALVES):
        return None
    return x.view(np.uint8), _HALVES[x.dtype.name]


def _may_stay(x, types) -> bool:
    """Whether these are features in C order of one of these types, little-endian, that take much memory."""
    name = getattr(getattr(x, "dtype", None), "name", None)
    if not isinstance(x, np.ndarray) or x.ndim != 2 or not x.flags.c_contiguous or name not in types:
        return False
    return x.dtype.newbyteorder("<") == x.dtype and 4 * x.size > _IN_MEMORY


def in_file(x):
    """Path, first byte, type and shape of a large read-only memory map, or of a view of one; else None."""
    if not _may_stay(x, _IN_FILE):
        return None
    root, current = None, x
    while isinstance(current, np.ndarray):
        root = current if isinstance(current, np.memmap) and current.filename is not None else root
        current = current.base
    if root is None or root.mode != "r":
        return None
    path, at = os.fspath(root.filename), root.offset + x.ctypes.data - root.ctypes.data
    # The file of that name may be another by now.
    for row in np.unique(np.linspace(0, len(x) - 1, _LOOKS).astype(int)):
        try:
            there = np.fromfile(path, x.dtype, x.shape[1], offset=at + row * x.strides[0])
        except OSError:
            return None
        if there.tobytes() != x[row].tobytes():
            return None
    return path, at, _IN_FILE[x.dtype.name], x.shape


def as_groups(groups, x, what) -> list[str] | None:
    """The name of each sample's group."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.dtype.kind == "f" and (groups == np.floor(groups)).all():
        groups = groups.astype(np.int64)
    missing = [_is_missing(group) or str(group) == "" for group in groups.ravel().tolist()]
    if any(missing):
        raise ValueError(f"{what}: expected a group for each sample, found none at {missing.index(True)}")
    if groups.shape != (len(x),):
        raise ValueError(f"{what}: expected shape ({len(x)},), one for each sample, found {groups.shape}")
    return groups.astype(str).tolist()


def labelled(x, y, class_names):
    """Features, class numbers, and class names if there are any."""
    x, y = features(x), _labels(y)
    if y.dtype.kind in "iub":
        if len(y) and y.min() < 0:
            raise ValueError(f"y: expected classes from 0, found {y.min()}")
        names = None if class_names is None else [str(name) for name in class_names]
        return x, np.ascontiguousarray(y, dtype=np.uint32), names
    names, y = np.unique(y.astype(str), return_inverse=True)
    if class_names is not None:
        raise ValueError("class_names: expected none for labels that are names themselves")
    return x, np.ascontiguousarray(y, dtype=np.uint32), [str(name) for name in names]


def labelled_like(x, y, names, by_name, what):
    """Features and class numbers of a set that goes with one of these names, by which its classes went
    or not."""
    x, y = features(x, what), _labels(y)
    if y.dtype.kind in "iub" and by_name:
        raise ValueError(f"{what}: expected names of classes, as in the training set, found numbers")
    if y.dtype.kind not in "iub":
        known = {name: number for number, name in enumerate(names or [])}
        missing = sorted({str(label) for label in y} - known.keys())
        if missing:
            raise ValueError(f"{what}: expected classes of the training set, found {missing[0]!r}")
        y = np.array([known[str(label)] for label in y])
    elif len(y) and y.min() < 0:
        raise ValueError(f"{what}: expected classes from 0, found {y.min()}")
    return x, np.ascontiguousarray(y, dtype=np.uint32)


def _is_missing(value) -> bool:
    """Whether a value is None, NaN or pandas' NA, which is not even unequal to itself."""
    try:
        return value is None or not bool(value == value)
    except TypeError:
        return True


def _labels(y) -> np.ndarray:
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"labels: expected shape (n_samples,), found {y.shape}")
    missing = [i for i, label in enumerate(y.tolist()) if _is_missing(label)]
    if missing:
        raise ValueError(f"labels: expected a class for each sample, found none at {missing[0]}")
    if y.dtype.kind == "f" or y.dtype.kind == "O" and not any(isinstance(label, str) for label in y):
        # Numbers that a table has made floats or objects.
        whole = [isinstance(label, numbers.Real) and float(label).is_integer() for label in y.tolist()]
        if not all(whole):
            raise ValueError(f"labels: expected whole numbers or names, found {y[whole.index(False)]!r}")
        y = y.astype(np.int64)
    if y.dtype.kind == "O" and not all(isinstance(label, str) for label in y):
        raise ValueError("labels: expected numbers or names, found both")
    return y


def in_order_of(x, like, what):
    """A table with its columns in the order of another's, if both name them."""
    wanted, own = (getattr(table, "columns", None) for table in (like, x))
    if wanted is None or own is None or list(wanted) == list(own):
        return x
    wanted, own = list(wanted), list(own)
    missing = [column for column in wanted if column not in own]
    if missing or len(own) != len(wanted):
        found = f"none named {missing[0]!r}" if missing else "more"
        raise ValueError(f"{what}: expected the columns of x, found {found}")
    return x[wanted]


def threads(n_jobs) -> int | None:
    """A number of threads; None for all, negative numbers for all but some, as -1 for all."""
    if n_jobs is None:
        return None
    try:
        n_jobs = operator.index(n_jobs)
    except TypeError:
        raise ValueError(f"n_jobs: expected None or a whole number, found {n_jobs!r}") from None
    if n_jobs == 0:
        raise ValueError("n_jobs: expected None or a number other than 0, found 0")
    if n_jobs > 0 or n_jobs == -1:
        return n_jobs if n_jobs > 0 else None
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(usable + 1 + n_jobs, 1)
