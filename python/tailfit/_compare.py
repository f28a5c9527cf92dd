"""Methods compared on a data set."""

from __future__ import annotations

import json
import logging
import os
import pathlib
import sys
import tempfile
import webbrowser

import numpy as np

from tailfit import _native
from tailfit._head import Head, as_head, from_native, native

_LOG = logging.getLogger("tailfit")


def methods() -> dict[str, str]:
    """The name of every method, with its source."""
    return {method["name"]: method["source"] for method in json.loads(_native.all_methods())}


def compare(
    x,
    y,
    x_test,
    y_test,
    *,
    head=None,
    x_val=None,
    y_val=None,
    methods=None,
    select=None,
    effort="quick",
    seeds=None,
    precision="auto",
    class_names=None,
    class_vectors=None,
    groups=None,
    groups_test=None,
    groups_val=None,
    many_above=100,
    few_below=20,
    name="data",
    progress=None,
) -> Comparison:
    """Compare methods of re-training a head on frozen features.

    Parameters
    ----------
    x, y : features (n_samples, n_features), and the class of each sample
        Classes are numbered from 0, or are names, which then are numbered in their sorted order.
        float32 in C order is taken as it is.
    x_test, y_test : what is scored
    head : Head, (weight, bias) or torch.nn.Linear, optional
        The network's own last layer, from which most methods start; if not given, one is trained.
    x_val, y_val : optional
        Samples that the network was not trained on, by which epoch and hyper-parameters are chosen.
    methods : list of str, optional
        Names from ``tailfit.methods()``, combinations such as ``"los+class-balanced"``, or
        configurations in TOML. If not given, those of the literature's usual comparison, a few for
        ``effort="quick"``, all for ``effort="full"``, and combinations too for ``effort="thorough"``.
    select : {"last", "validation", "cross-validated", "cross-fitted", "best-on-test"}, optional
        How epoch and hyper-parameters are chosen: on the validation set if there is one, else
        cross-fitted on the two halves of the test set.
    effort : {"quick", "standard", "thorough", "full"}
    seeds : int, optional
        Number of seeds; 5, or 1 for ``effort="quick"``.
    class_vectors : array of shape (n_classes, n_features), optional
        A vector for each class, such as the text encoder's of its name: adds the method ``"zero-shot"``
        and the combination ``"+zero-shot"``.
    groups, groups_test, groups_val : array of shape (n_samples,), optional
        Which samples belong together, such as pictures of one patient. Folds keep those of ``groups``
        together, halves and intervals those of ``groups_test``; a group in two sets is warned of.
    progress : callable(done, total), or True for tqdm if it is installed
        Ctrl-C keeps the methods that are finished.
    """
    x, y, names = _labelled(x, y, class_names)
    test = _labelled_like(x_test, y_test, names, "x_test")
    validation = None if x_val is None else _labelled_like(x_val, y_val, names, "x_val")
    if methods is None:
        methods = _native.usual_methods(effort, class_vectors is not None)
    elif isinstance(methods, str):
        methods = [methods]
    if select is None:
        select = "cross-fitted" if validation is None else "validation"
    results: dict[str, dict] = {}
    failed: dict[str, Exception] = {}

    def finished(name, result):
        if isinstance(result, Exception):
            failed[name] = result
            _LOG.warning("%s: %s", name, result)
        else:
            results[name] = result
            _LOG.info("%s: finished", name)

    bar = _progress(progress)
    try:
        _native.compare(
            name,
            (x, y),
            test,
            validation,
            native(as_head(head)),
            list(methods),
            selection=select,
            effort=effort,
            seeds=seeds if seeds is not None else (1 if effort == "quick" else 5),
            precision=precision,
            many_above=many_above,
            few_below=few_below,
            class_names=names,
            class_vectors=None
            if class_vectors is None
            else np.ascontiguousarray(class_vectors, dtype=np.float64),
            groups=[
                as_groups(groups, x, "groups"),
                as_groups(groups_test, test[0], "groups_test"),
                validation and as_groups(groups_val, validation[0], "groups_val"),
            ],
            finished=finished,
            progress=bar,
        )
    except KeyboardInterrupt:
        if not results:
            raise
        _LOG.warning("interrupted: %d of %d methods are finished", len(results), len(methods))
    finally:
        if hasattr(bar, "close"):
            bar.close()
    if not results and failed:
        raise next(iter(failed.values()))
    return Comparison(results, failed, names)


class Comparison:
    """What a comparison found.

    Attributes
    ----------
    records : list of dict
        One for each method and seed, as the program writes them.
    heads : dict of Head
        The head to use of each method: that of the first seed.
    failed : dict of exceptions
        Methods that did not finish.
    class_names : list of str or None
    """

    def __init__(self, results, failed, class_names):
        self._json = [record for result in results.values() for record in result["records"]]
        self.records = [json.loads(record) for record in self._json]
        self.heads = {name: _head(result) for name, result in results.items()}
        self.failed = failed
        self.class_names = class_names

    @property
    def best(self) -> str:
        """The method with the highest class mean."""
        return max(self.heads, key=lambda name: np.mean(self._scores(name, "macro_percent")))

    @property
    def advice(self) -> list[str]:
        """What to take, what to avoid, and what to be careful with: at most three lines."""
        return list(_native.table(self._json, "advice").splitlines())

    def frame(self):
        """The table at full precision: a pandas DataFrame if pandas is installed, else a dict of columns."""
        lines = _native.table(self._json, "csv").splitlines()
        header, rows = lines[0].split(","), [line.split(",") for line in lines[1:]]
        columns = {key: [_value(row[at]) for row in rows] for at, key in enumerate(header)}
        try:
            import pandas
        except ImportError:
            return columns
        return pandas.DataFrame(columns)

    def plot(self, path: str | os.PathLike | None = None) -> str:
        """Everything about the comparison on one page of HTML, with figures.

        Write it to ``path`` and open it in the browser, or, without a path, to a file of its own.
        Returns the path.
        """
        if path is None:
            handle, path = tempfile.mkstemp(prefix="tailfit-", suffix=".html")
            os.close(handle)
        path = os.path.abspath(os.fspath(path))
        with open(path, "w", encoding="utf-8") as file:
            file.write(_native.table(self._json, "page"))
        webbrowser.open(pathlib.Path(path).as_uri())
        return path

    def save(self, folder: str | os.PathLike) -> None:
        """Write records, heads, tables and ``report.html``, a page to look at, to a folder."""
        folder = os.fspath(folder)
        os.makedirs(os.path.join(folder, "records"), exist_ok=True)
        for text, record in zip(self._json, self.records):
            name = f"{record['method']}-seed{record['seed']}.json"
            with open(os.path.join(folder, "records", name), "w", encoding="utf-8") as file:
                file.write(text)
        for name, head in self.heads.items():
            head.save(os.path.join(folder, "heads", f"{name}.safetensors"))
        for file_name, form in _TABLES.items():
            with open(os.path.join(folder, file_name), "w", encoding="utf-8") as file:
                file.write(_native.table(self._json, form))

    def _scores(self, name, key):
        of = (record for record in self.records if record["method"] == name)
        return [record["evaluation"]["accuracy"][key] for record in of]

    def __str__(self) -> str:
        return _native.table(self._json, "text")

    def __repr__(self) -> str:
        return f"<tailfit.Comparison of {len(self.heads)} methods, best {self.best}>"

    def _repr_html_(self) -> str:
        return _native.table(self._json, "html")


# The files of a comparison, and their forms.
_TABLES = {
    "report.html": "page",
    "report.md": "markdown",
    "summary.csv": "csv",
    "table.tex": "latex",
}


def _head(result) -> Head:
    names = json.loads(result["head_record"])
    metadata = {"method": names["method"], "made_by": f"tailfit {names['version']}"}
    return from_native(result, metadata)


def _value(text):
    try:
        return float(text) if text else float("nan")
    except ValueError:
        return text


def features(x, what="x") -> np.ndarray:
    """Features as the native part takes them; float32 in C order is not copied."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().float().numpy()
    x = np.ascontiguousarray(x, dtype=np.float32)
    if x.ndim != 2:
        raise ValueError(f"{what}: expected features of shape (n_samples, n_features), found {x.shape}")
    return x


def as_groups(groups, x, what) -> list[str] | None:
    """The name of each sample's group."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.dtype.kind == "f" and (groups == np.floor(groups)).all():
        groups = groups.astype(np.int64)
    missing = [group is None or group != group or str(group) == "" for group in groups.ravel().tolist()]
    if any(missing):
        raise ValueError(f"{what}: expected a group for each sample, found none at {missing.index(True)}")
    if groups.shape != (len(x),):
        raise ValueError(f"{what}: expected shape ({len(x)},), one for each sample, found {groups.shape}")
    return groups.astype(str).tolist()


def _labelled(x, y, class_names):
    x, y = features(x), _labels(y)
    if y.dtype.kind in "iub":
        if len(y) and y.min() < 0:
            raise ValueError(f"y: expected classes from 0, found {y.min()}")
        return x, np.ascontiguousarray(y, dtype=np.uint32), _names(class_names)
    names, y = np.unique(y.astype(str), return_inverse=True)
    if class_names is not None:
        raise ValueError("class_names: expected none for labels that are names themselves")
    return x, np.ascontiguousarray(y, dtype=np.uint32), [str(name) for name in names]


def _labelled_like(x, y, names, what):
    x, y = features(x, what), _labels(y)
    if y.dtype.kind not in "iub":
        known = {name: number for number, name in enumerate(names or [])}
        missing = sorted({str(label) for label in y} - known.keys())
        if missing:
            raise ValueError(f"{what}: expected classes of the training set, found {missing[0]!r}")
        y = np.array([known[str(label)] for label in y])
    elif len(y) and y.min() < 0:
        raise ValueError(f"{what}: expected classes from 0, found {y.min()}")
    return x, np.ascontiguousarray(y, dtype=np.uint32)


def _labels(y) -> np.ndarray:
    if hasattr(y, "detach"):
        y = y.detach().cpu().numpy()
    y = np.asarray(y)
    if y.ndim != 1:
        raise ValueError(f"labels: expected shape (n_samples,), found {y.shape}")
    if y.dtype.kind == "f" and (y == np.floor(y)).all():
        y = y.astype(np.int64)
    return y


def _names(class_names):
    return None if class_names is None else [str(name) for name in class_names]


def _progress(progress):
    if progress is not True:
        return progress
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return lambda done, total: print(f"\r{100 * done // max(total, 1)} %", end="", file=sys.stderr)
    bar = tqdm(unit="head-epoch")

    def update(done, total):
        bar.total = total
        bar.update(done - bar.n)

    update.close = bar.close
    return update
