"""A re-trained classifier head."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import numpy as np

from tailfit import _native


@dataclass(frozen=True)
class Head:
    """The last layer: ``logits = x @ weight.T + bias``.

    Scales, temperatures and offsets are folded in, so that a plain linear layer gives the same.

    Attributes
    ----------
    weight : ndarray of shape (n_classes, n_features)
    bias : ndarray of shape (n_classes,)
    normalise_features : bool
        Whether features are first divided by their L2 norm, as cosine heads want it.
    """

    weight: np.ndarray
    bias: np.ndarray
    normalise_features: bool = False
    metadata: dict[str, str] = field(default_factory=dict, compare=False)

    def logits(self, x) -> np.ndarray:
        """Logits of features, of shape (n_samples, n_classes), in double precision."""
        x = np.asarray(x, dtype=np.float64)
        if self.normalise_features:
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        return x @ self.weight.T + self.bias

    def predict(self, x) -> np.ndarray:
        """The class of each sample, from 0."""
        return self.logits(x).argmax(axis=1)

    def predict_proba(self, x, target_prior=None) -> np.ndarray:
        """Probabilities of shape (n_samples, n_classes).

        ``target_prior`` says how frequent classes are among these samples: ``None`` or ``"uniform"``
        takes the head's word for it, ``"estimated"`` finds it from the samples, an array gives it. The
        head is taken to assume equal frequencies, as heads re-trained for balance do.
        """
        return probabilities(self.logits(x), target_prior)

    def calibrated(self, x, y) -> Head:
        """The head with its weight and bias divided by the temperature that fits held-out samples best."""
        logits, labels = self.logits(x), np.asarray(y)
        if labels.shape != (len(logits),):
            raise ValueError(f"y: expected {len(logits)} classes, one for each sample, found {labels.shape}")
        if labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() >= logits.shape[1]:
            raise ValueError(f"y: expected classes from 0 to {logits.shape[1] - 1}, found others")
        labels = np.ascontiguousarray(labels, dtype=np.uint32)
        temperature = _native.fit_temperature(np.ascontiguousarray(logits), labels)
        metadata = {**self.metadata, "temperature": repr(temperature)}
        return Head(self.weight / temperature, self.bias / temperature, self.normalise_features, metadata)

    def save(self, path: str | os.PathLike, key: str = "fc") -> None:
        """Write a safetensors file with ``{key}.weight`` and ``{key}.bias``."""
        arrays = np.ascontiguousarray(self.weight), np.ascontiguousarray(self.bias)
        _native.save_head(os.fspath(path), (*arrays, self.normalise_features), key, self.metadata)


def load_head(path: str | os.PathLike, key: str | None = None) -> Head:
    """Read a head from a safetensors or npz file; its key, such as ``"fc"``, is found if not given."""
    found = _native.load_head(os.fspath(path), key)
    return Head(found["weight"], found["bias"], found["normalise_features"], found["metadata"])


def probabilities(logits: np.ndarray, target_prior=None) -> np.ndarray:
    """softmax of logits that assume equal class frequencies, for classes of other frequencies."""
    return _softmax(adjusted(logits, target_prior))


def adjusted(logits: np.ndarray, target_prior=None) -> np.ndarray:
    """Logits that assume equal class frequencies, for classes of other frequencies."""
    n_classes = logits.shape[1]
    uniform = np.full(n_classes, 1 / n_classes)
    if isinstance(target_prior, str):
        if target_prior == "uniform":
            target_prior = None
        elif target_prior == "estimated":
            target_prior = _native.estimate_prior(_softmax(logits), list(uniform))
        else:
            raise ValueError(
                f"target_prior: expected 'uniform', 'estimated' or an array, found {target_prior!r}"
            )
    if target_prior is None:
        return logits
    prior = np.asarray(target_prior, dtype=np.float64)
    if prior.shape != (n_classes,) or not (prior >= 0).all() or not prior.sum() > 0:
        raise ValueError(
            f"target_prior: expected {n_classes} numbers of at least 0, found shape {prior.shape}"
        )
    with np.errstate(divide="ignore"):
        shift = np.log(prior / prior.sum())
    return logits + np.maximum(shift, -1e300)


def _softmax(logits: np.ndarray) -> np.ndarray:
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def as_head(head) -> Head | None:
    """A Head from a Head, a pair (weight, bias), a linear layer of PyTorch, or None."""
    if head is None or isinstance(head, Head):
        return head
    if hasattr(head, "weight"):
        bias = getattr(head, "bias", None)
        head = (_host(head.weight), None if bias is None else _host(bias))
    weight, bias = head
    weight = np.ascontiguousarray(weight, dtype=np.float64)
    bias = np.zeros(len(weight)) if bias is None else np.ascontiguousarray(bias, dtype=np.float64)
    if weight.ndim != 2 or bias.shape != (len(weight),):
        raise ValueError(
            f"head: expected weight [K, D] and bias [K], found {weight.shape} and {bias.shape}"
        )
    return Head(weight, bias)


def _host(tensor) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().float().numpy()
    return np.asarray(tensor)


def native(head: Head | None):
    """The head as the native part takes it."""
    if head is None:
        return None
    weight = np.ascontiguousarray(head.weight, dtype=np.float64)
    return (weight, np.ascontiguousarray(head.bias, dtype=np.float64), head.normalise_features)
