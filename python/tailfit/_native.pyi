"""The native part: numbers go in and out here, classes and documentation are in Python."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "__version__",
    "DataError",
    "all_methods",
    "usual_methods",
    "recipe",
    "run",
    "fit",
    "fit_temperature",
    "estimate_prior",
    "estimate_prior_by_confusion",
    "load_head",
    "save_head",
    "compare",
    "table",
]

__version__: str

class DataError(ValueError):
    """Data that is unusable as it is."""

_Features = NDArray[np.float32] | tuple[NDArray[np.uint8], str] | tuple[str, int, str, tuple[int, int]]
_Labelled = tuple[_Features, NDArray[np.uint32]]
_Vector = NDArray[np.float64]
_Gate = tuple[_Vector, float, _Vector, _Vector]
_Head = tuple[NDArray[np.float64], _Vector, bool, _Vector | None, _Gate | None, dict[str, str]]

def all_methods() -> str: ...
def usual_methods(effort: str, class_vectors: bool) -> list[str]: ...
def recipe(method: str, changes: list[tuple[str, str]]) -> str: ...
def table(records: list[str], form: str) -> str: ...
def run(words: list[str]) -> int: ...
def fit(
    data: _Labelled,
    recipe: str,
    *,
    sample_weight: NDArray[np.float64] | None = None,
    class_weight: NDArray[np.float64] | None = None,
    head: _Head | None = None,
    seed: int = 0,
    double: bool = False,
    threads: int | None = None,
) -> dict[str, Any]: ...
def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.uint32]) -> float: ...
def estimate_prior(
    probabilities: NDArray[np.float64], assumed: list[float]
) -> NDArray[np.float64]: ...
def estimate_prior_by_confusion(
    labels: NDArray[np.uint32], predicted: NDArray[np.uint32], predictions: list[int]
) -> NDArray[np.float64]: ...
def load_head(path: str, key: str | None = None) -> dict[str, Any]: ...
def save_head(path: str, head: _Head, key: str) -> None: ...
def compare(
    name: str,
    train: _Labelled,
    test: _Labelled,
    validation: _Labelled | None,
    head: _Head | None,
    methods: list[str],
    *,
    selection: str,
    effort: str,
    seeds: int,
    precision: str,
    many_above: int,
    few_below: int,
    class_names: list[str] | None,
    class_vectors: NDArray[np.float64] | None,
    groups: list[list[str] | None],
    threads: int | None,
    finished: Callable[[str, Any], object],
    progress: Callable[[int, int], object] | None,
    first_seed: int = 0,
    warns: bool = True,
) -> None: ...
