"""A re-trained classifier head."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

import numpy as np

from tailfit import _native

# Samples whose logits are computed at a time.
_ROWS = 4096


@dataclass(frozen=True)
class Gate:
    """What a gated head adds to its logits z: ``sigmoid(x @ weight + bias) * (scale * z + shift)``.

    Attributes
    ----------
    weight : ndarray of shape (n_features,)
    bias : float
    scale, shift : ndarray of shape (n_classes,)
    """

    weight: np.ndarray
    bias: float
    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True)
class Head:
    """The last layer: ``logits = x @ weight.T + bias``.

    Scales, temperatures and offsets are folded in, so that a plain linear layer gives the same,
    unless there is a gate, as ``disalign`` has, or features are normalised.

    Attributes
    ----------
    weight : ndarray of shape (n_classes, n_features)
    bias : ndarray of shape (n_classes,)
    normalise_features : bool
        Whether features are first divided by their L2 norm, as cosine and normalised heads want it.
    centre : ndarray of shape (n_features,), optional
        What is subtracted from features before they are divided by their norm.
    gate : Gate, optional
    """

    weight: np.ndarray
    bias: np.ndarray
    normalise_features: bool = False
    metadata: dict[str, str] = field(default_factory=dict, compare=False)
    centre: np.ndarray | None = None
    gate: Gate | None = None

    @property
    def is_linear(self) -> bool:
        """Whether the logits are ``x @ weight.T + bias`` and nothing else."""
        return not self.normalise_features and self.gate is None

    def logits(self, x) -> np.ndarray:
        """Logits of features, of shape (n_samples, n_classes), in double precision."""
        x = np.asarray(x)
        if x.ndim == 1:
            return self.logits(x[None])[0]
        # A few rows at a time: as doubles they take more room than the logits.
        blocks = [self._logits(x[at : at + _ROWS]) for at in range(0, max(len(x), 1), _ROWS)]
        return np.concatenate(blocks)

    def _logits(self, x) -> np.ndarray:
        x = x.astype(np.float64)
        if self.normalise_features:
            x = x if self.centre is None else x - self.centre
            x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        z = x @ self.weight.T + self.bias
        if self.gate is None:
            return z
        with np.errstate(over="ignore"):
            opening = 1 / (1 + np.exp(-(x @ self.gate.weight) - self.gate.bias))
        return z + opening[:, None] * (self.gate.scale * z + self.gate.shift)

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

    def estimate_prior(self, x, held_out=None) -> np.ndarray:
        """How frequent each class is among unlabelled samples, to be given as ``target_prior``.

        Without ``held_out``, the frequencies under which the probabilities of ``x`` are most likely
        (MLLS), which wants calibrated ones. With ``held_out=(x, y)``, labelled samples that the head was
        not trained on, those behind its predictions, given its confusions there (BBSE).
        """
        k = len(self.bias)
        if held_out is None:
            return estimated_prior(self.logits(x))
        given, y = pair(held_out)
        labels = _classes(y, (len(given), k), "held_out")
        return estimated_prior(self.logits(x), self.logits(given), labels, range(k))

    def calibrated(self, x, y) -> Head:
        """The head with its weight and bias divided by the temperature that fits held-out samples best."""
        logits = self.logits(x)
        labels = _classes(y, logits.shape, "y")
        temperature = _native.fit_temperature(np.ascontiguousarray(logits), labels)
        gate = self.gate and replace(self.gate, shift=self.gate.shift / temperature)
        return replace(
            self,
            weight=self.weight / temperature,
            bias=self.bias / temperature,
            metadata={**self.metadata, "temperature": repr(temperature)},
            gate=gate,
        )

    def save(self, path: str | os.PathLike, key: str = "fc") -> None:
        """Write a safetensors file with ``{key}.weight`` and ``{key}.bias``."""
        _native.save_head(os.fspath(path), native(self), key)


def load_head(path: str | os.PathLike, key: str | None = None) -> Head:
    """Read a head from a safetensors or npz file; its key, such as ``"fc"``, is found if not given."""
    found = _native.load_head(os.fspath(path), key)
    return from_native(found, found["metadata"])


def _classes(y, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Labels of samples with logits of this shape, checked."""
    labels = np.asarray(y)
    if labels.shape != shape[:1] or not len(labels):
        raise ValueError(f"{name}: expected {shape[0]} classes, one for each sample, found {labels.shape}")
    if labels.dtype.kind not in "iub" or labels.min() < 0 or labels.max() >= shape[1]:
        raise ValueError(f"{name}: expected classes from 0 to {shape[1] - 1}, found others")
    return np.ascontiguousarray(labels, dtype=np.uint32)


def pair(held_out):
    """Features and classes of held-out samples."""
    if not isinstance(held_out, (tuple, list)) or len(held_out) != 2:
        raise ValueError("held_out: expected a pair (features, classes), found none")
    return held_out


def estimated_prior(logits: np.ndarray, held_out=None, labels=None, classes=None) -> np.ndarray:
    """Class frequencies from logits of unlabelled samples that assume equal ones: by probabilities, or
    by the logits of held-out samples of these classes, which are named ``classes``."""
    k = logits.shape[1]
    if held_out is None:
        return _native.estimate_prior(_softmax(logits), [1 / k] * k)
    sizes = np.bincount(labels, minlength=k)
    if not sizes.all():
        absent = [classes[place] for place in np.flatnonzero(sizes == 0)]
        some = ", ".join(repr(name) for name in absent[:8])
        raise ValueError(f"held_out: expected samples of each class, found none of {len(absent)}: {some}")
    predictions = np.bincount(logits.argmax(axis=1), minlength=k)
    predicted = held_out.argmax(axis=1).astype(np.uint32)
    return _native.estimate_prior_by_confusion(labels, predicted, predictions.tolist())


def probabilities(logits: np.ndarray, target_prior=None) -> np.ndarray:
    """softmax of logits that assume equal class frequencies, for classes of other frequencies."""
    return _softmax(adjusted(logits, target_prior))


def adjusted(logits: np.ndarray, target_prior=None) -> np.ndarray:
    """Logits that assume equal class frequencies, for classes of other frequencies."""
    n_classes = logits.shape[1]
    if isinstance(target_prior, str):
        if target_prior == "uniform":
            target_prior = None
        elif target_prior == "estimated":
            target_prior = estimated_prior(logits)
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
    """A Head from a Head, a pair (weight, bias), a layer of PyTorch that is a head, or None."""
    if head is None or isinstance(head, Head):
        return head
    # What replace_head puts in for heads that are more than a linear layer.
    if hasattr(head, "linear") and hasattr(head, "centre"):
        plain, centre = as_head(head.linear), _doubles(_host(head.centre))
        return Head(plain.weight, plain.bias, True, centre=centre if centre.any() else None)
    if hasattr(head, "linear") and hasattr(head, "gate"):
        plain, gate = as_head(head.linear), as_head(head.gate)
        scale, shift = _doubles(_host(head.scale)), _doubles(_host(head.shift))
        return Head(plain.weight, plain.bias, gate=Gate(gate.weight[0], gate.bias[0], scale, shift))
    if hasattr(head, "weight"):
        if not hasattr(head, "bias"):
            raise ValueError(f"head: expected a linear layer, found a {type(head).__name__}")
        check_plain(head)
        head = (head.weight, head.bias)
    weight, bias = head
    weight, bias = _host(weight), None if bias is None else _host(bias)
    weight = np.ascontiguousarray(weight, dtype=np.float64)
    bias = np.zeros(len(weight)) if bias is None else np.ascontiguousarray(bias, dtype=np.float64)
    if weight.ndim != 2 or bias.shape != (len(weight),):
        raise ValueError(
            f"head: expected weight [K, D] and bias [K], found {weight.shape} and {bias.shape}"
        )
    return Head(weight, bias)


def _gives_its_product(layer) -> bool:
    """Whether a layer's outputs are its weight times what it sees, plus its bias."""
    import torch

    weight, bias = layer.weight.detach(), None if layer.bias is None else layer.bias.detach()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, weight.shape[1], generator=generator).to(weight)
    training = layer.training
    with torch.no_grad():
        found, wanted = layer.eval()(x), torch.nn.functional.linear(x, weight, bias)
    layer.train(training)
    return found.shape == wanted.shape and torch.allclose(found.float(), wanted.float(), rtol=1e-3, atol=1e-4)


def check_plain(layer) -> None:
    """Refuses a subclass of a linear layer that computes something else from its weight."""
    for base in type(layer).__mro__[1:]:
        if base.__module__.startswith("torch.nn.modules") and base.__name__ == "Linear":
            if type(layer).forward is not base.forward and not _gives_its_product(layer):
                raise ValueError(
                    f"head: expected a linear layer, found a {type(layer).__name__}, which computes its logits "
                    "otherwise; give a tailfit.Head or CosineHead of what it does"
                )


def _host(tensor) -> np.ndarray:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().float().numpy()
    return np.asarray(tensor)


def native(head: Head | None):
    """The head as the native part takes it."""
    if head is None:
        return None
    weight, bias = _doubles(head.weight), _doubles(head.bias)
    centre = None if head.centre is None else _doubles(head.centre)
    gate = head.gate and (
        _doubles(head.gate.weight),
        float(head.gate.bias),
        _doubles(head.gate.scale),
        _doubles(head.gate.shift),
    )
    metadata = {str(key): str(value) for key, value in (head.metadata or {}).items()}
    return (weight, bias, head.normalise_features, centre, gate, metadata)


def from_native(found, metadata=None) -> Head:
    """A head as the native part gives it."""
    gate = found["gate"] and Gate(*found["gate"])
    return Head(
        found["weight"], found["bias"], found["normalise_features"], metadata or {}, found["centre"], gate
    )


def _doubles(array) -> np.ndarray:
    return np.ascontiguousarray(array, dtype=np.float64)
