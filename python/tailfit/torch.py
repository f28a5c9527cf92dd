"""From a PyTorch model to features, and from a re-trained head back into the model."""

from __future__ import annotations

import contextlib
import copy
import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from tailfit._features_file import FeaturesFile
from tailfit._head import Head
from tailfit._layers import CosineHead, GatedHead, HeadModule, module_of

__all__ = ["CosineHead", "Features", "GatedHead", "features", "find_classifier", "replace_head"]

# Largest difference of logits, relative to the largest, that rounding explains.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-9}

_NAMES = ("fc", "classifier", "head", "heads.head", "head.fc", "last_linear", "score")


@dataclass(frozen=True)
class Features:
    """What ``features`` took out of a model.

    Attributes
    ----------
    x : ndarray of shape (n_samples, n_features)
        What the classifier sees.
    y : ndarray of shape (n_samples,) or None
    head : tailfit.Head
        The model's own last layer.
    """

    x: np.ndarray
    y: np.ndarray | None
    head: Head


def find_classifier(model: nn.Module, classifier: str | None = None) -> tuple[str, nn.Module]:
    """The name and the module of a model's last linear layer.

    Asks the model itself (timm's ``get_classifier``), then looks for the usual names, then for the
    last linear layer of all. ``classifier`` names it instead.
    """
    model = _plain(model)
    modules = dict(model.named_modules(remove_duplicate=False))
    if classifier is not None:
        if classifier not in modules:
            raise ValueError(f"classifier: expected the name of a module, found {classifier!r}")
        found = _last_linear(classifier, modules[classifier])
        if found is None:
            raise ValueError(f"classifier: expected a module with a linear layer, found {classifier!r}")
        return found
    if hasattr(model, "get_classifier"):
        own = model.get_classifier()
        if isinstance(own, (tuple, list)):
            raise ValueError("model: expected one classifier, found several; name one with classifier=...")
        for name, module in modules.items():
            if module is own and (found := _last_linear(name, module)):
                return found
    for name in _NAMES:
        if name in modules and (found := _last_linear(name, modules[name])):
            return found
    found = _last_linear("", model)
    if found is None:
        raise ValueError("model: expected a linear layer, found none; name it with classifier=...")
    return found


def features(
    model: nn.Module,
    loader,
    *,
    classifier: str | None = None,
    device=None,
    dtype=np.float32,
    path: str | os.PathLike | None = None,
    progress: bool = False,
) -> Features:
    """What the classifier of a model sees of each sample, in evaluation mode.

    ``loader`` yields batches: inputs, pairs (inputs, labels), or dictionaries with ``labels`` beside the
    arguments of the model. On the first batch the layer found is checked: its weight times what it
    sees must be the model's own logits. Training mode and hooks are put back afterwards.

    With ``path``, features and labels are written to a safetensors file as they come, which the program
    reads too, and ``x`` is a read-only memory map of it. ``progress`` shows a bar if tqdm is installed.
    """
    model = _plain(model)
    name, layer = find_classifier(model, classifier)
    if not isinstance(layer, nn.Linear):
        raise ValueError(f"classifier: expected a linear layer, found a {type(layer).__name__}, {name!r}")
    device = device or next(model.parameters()).device
    seen: list[torch.Tensor] = []
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    file = None if path is None else FeaturesFile(path, dtype)
    checked = False
    if progress:
        with contextlib.suppress(ImportError):
            from tqdm.auto import tqdm

            loader = tqdm(loader)
    with _evaluating(model), torch.no_grad(), _watched(layer, seen), file or contextlib.nullcontext():
        for batch in loader:
            inputs, labels = _split(batch)
            seen.clear()
            output = _logits(_call(model, _moved(inputs, device)))
            if len(seen) != 1:
                raise ValueError(
                    f"classifier: expected {name!r} to be used once a batch, found {len(seen)} times"
                )
            x = seen[0]
            if x.ndim != 2:
                raise ValueError(
                    f"classifier: expected {name!r} to see one vector a sample, found {tuple(x.shape)}"
                )
            if not checked:
                _check(model, name, layer, x, output)
                checked = True
            values = x.detach().double() if np.dtype(dtype) == np.float64 else x.detach().float()
            values = values.cpu().numpy().astype(dtype)
            if labels is not None:
                labels = np.asarray(labels.cpu() if hasattr(labels, "cpu") else labels)
                ys.append(labels)
            if file is None:
                xs.append(values)
            else:
                file.add(values, labels)
        if not checked:
            raise ValueError("loader: expected at least one batch, found none")
        y = np.concatenate(ys) if ys else None
        return Features(np.concatenate(xs) if file is None else file.finish(y), y, head_of(layer))


def head_of(layer: nn.Linear) -> Head:
    """A linear layer as a head."""
    weight = layer.weight.detach().double().cpu().numpy()
    bias = np.zeros(len(weight)) if layer.bias is None else layer.bias.detach().double().cpu().numpy()
    return Head(weight, bias)


def replace_head(
    model: nn.Module, head: Head, *, classifier: str | None = None, check=None, batch=None
) -> nn.Module:
    """Put a re-trained head in the place of a model's last linear layer, in place.

    Dtype and device are kept, and the model's number of classes is kept true where it says one.
    ``check`` are features, of shape (n_samples, n_features), on which the logits of the new layer are
    compared with the head's; a few random ones if not given. With ``batch``, one of those that ``features``
    takes, the model itself is run: its logits must be the head's of what the new layer sees, or everything
    stays as it was.
    """
    model = _plain(model)
    name, layer = find_classifier(model, classifier)
    n_classes, dim = head.weight.shape
    if layer.in_features != dim:
        raise ValueError(f"head: expected {layer.in_features} features, as {name!r} has, found {dim}")
    like = {"device": layer.weight.device, "dtype": layer.weight.dtype}
    new = module_of(head, like)
    new.train(layer.training)
    for parameter in new.parameters():
        parameter.requires_grad_(layer.weight.requires_grad)
    if not name:
        raise ValueError("model: expected a model with a linear layer, found a linear layer alone")
    x = np.random.default_rng(0).standard_normal((8, dim)) if check is None else np.asarray(check)
    # On the CPU in double precision: what a GPU rounds products to is none of the head's.
    given = torch.from_numpy(np.ascontiguousarray(x, dtype=np.float64))
    with torch.no_grad():
        found = copy.deepcopy(new).cpu().double()(given).numpy()
    wanted = head.logits(given.numpy())
    # Weights in half precision keep three digits.
    tolerance = _TOLERANCE.get(layer.weight.dtype, 2e-2)
    if np.abs(found - wanted).max() > tolerance * max(np.abs(wanted).max(), 1e-6):
        raise RuntimeError(f"{name!r} does not give the head's logits: please report it")
    # Under each of its names: a layer may be a part of several modules.
    parents = list(model.modules())
    places = [(parent, key) for parent in parents for key, child in parent._modules.items() if child is layer]
    undo = [(parent, key, layer) for parent, key in places]
    for parent, key in places:
        setattr(parent, key, new)
    for owner in (model, getattr(model, "config", None)):
        for attribute in ("num_classes", "num_labels"):
            before = getattr(owner, attribute, None)
            if isinstance(before, int):
                with contextlib.suppress(AttributeError):
                    setattr(owner, attribute, n_classes)
                    undo.append((owner, attribute, before))
    try:
        if batch is not None and not _gives(model, new, head, batch, tolerance):
            raise ValueError(
                f"classifier: expected the layer whose output is the model's, found {name!r}; nothing was replaced"
            )
    except BaseException:
        for owner, attribute, before in undo:
            setattr(owner, attribute, before)
        raise
    return model


def _gives(model: nn.Module, layer: nn.Module, head: Head, batch, tolerance: float) -> bool:
    """Whether a model's logits of a batch are a head's of what a layer of it sees."""
    device = next(model.parameters()).device
    seen: list[torch.Tensor] = []
    with _evaluating(model), torch.no_grad(), _watched(layer, seen):
        found = _logits(_call(model, _moved(_split(batch)[0], device))).double().cpu().numpy()
    if len(seen) != 1 or seen[0].ndim != 2:
        return False
    wanted = head.logits(seen[0].double().cpu().numpy())
    if device.type != "cpu":
        # Its products may be rounded to fewer digits.
        tolerance = max(tolerance, 2e-2)
    return found.shape == wanted.shape and bool(
        np.abs(found - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1e-6)
    )


def _plain(model: nn.Module) -> nn.Module:
    """A model without what torch.compile wraps around it."""
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        raise ValueError("model: expected a model of one device, found a parallel one; give model.module")
    return model


def _last_linear(name: str, module: nn.Module) -> tuple[str, nn.Module] | None:
    found = None
    within = None
    for inner, candidate in module.named_modules():
        if within is not None and inner.startswith(within):
            continue
        if isinstance(candidate, (nn.Linear, HeadModule)):
            found = (".".join(part for part in (name, inner) if part), candidate)
        if isinstance(candidate, HeadModule):
            within = f"{inner}." if inner else ""
    return found


@contextlib.contextmanager
def _evaluating(model: nn.Module):
    """Evaluation mode, with each module's own mode put back afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def _watched(layer: nn.Module, seen: list):
    """Collects what a layer sees."""
    handle = layer.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    try:
        yield
    finally:
        handle.remove()


def _split(batch):
    if isinstance(batch, dict) or hasattr(batch, "keys"):
        batch = dict(batch)
        labels = batch.pop("labels", batch.pop("label", None))
        return batch, labels
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        return batch[0], batch[1]
    if isinstance(batch, (tuple, list)) and len(batch) == 1:
        return batch[0], None
    if isinstance(batch, (tuple, list)):
        raise ValueError(f"loader: expected inputs, or inputs and labels, found {len(batch)} things a batch")
    return batch, None


def _moved(inputs, device):
    if isinstance(inputs, dict):
        return {key: value.to(device) for key, value in inputs.items()}
    return inputs.to(device)


def _call(model, inputs):
    return model(**inputs) if isinstance(inputs, dict) else model(inputs)


def _logits(output) -> torch.Tensor:
    if hasattr(output, "logits"):
        return output.logits
    if isinstance(output, dict):
        if "logits" not in output:
            raise ValueError(f"model: expected logits in its output, found {', '.join(map(str, output))}")
        return output["logits"]
    return output[0] if isinstance(output, (tuple, list)) else output


def _check(model, name, layer, x, output):
    weight, bias = layer.weight, layer.bias
    # What the head will be: its weight, whatever else the layer does with it.
    own = nn.functional.linear(x.to(weight.dtype), weight, bias)
    linear = [inner for inner, module in model.named_modules() if isinstance(module, nn.Linear)]
    same = own.shape == output.shape and torch.allclose(own.float(), output.float(), rtol=1e-3, atol=1e-4)
    if not same:
        raise ValueError(
            f"classifier: expected a layer whose weight times what it sees is the model's logits, found {name!r}, "
            f"where it is not; the model's linear layers are {', '.join(linear)}"
        )
