"""Methods compared on a data set."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import pathlib
import tempfile
import webbrowser

import numpy as np

from tailfit import _native
from tailfit._arrays import as_groups, handed_over, in_memory, in_order_of, labelled, labelled_like, threads
from tailfit._head import as_head, from_native, native
from tailfit._progress import shown
from tailfit._save import write

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
    n_jobs=None,
    progress=None,
) -> Comparison:
    """Compare methods of re-training a head on frozen features.

    Parameters
    ----------
    x, y : features (n_samples, n_features), and the class of each sample
        Classes are numbered from 0, or are names, which then are numbered in their sorted order.
        Training features in a read-only memory map, such as ``numpy.load(path, mmap_mode="r")`` gives, stay in
        their file if they would take more than 4 GiB as float32, and are read as batches need them; as large
        ones of float16 or bfloat16 in memory stay as they are. These and float32, in C order, are used where
        they are, and must not change meanwhile; all else is copied to float32.
    x_test, y_test : what is scored
    head : Head, (weight, bias) or torch.nn.Linear, optional
        The network's own last layer, from which most methods start; if not given, one is trained.
    x_val, y_val : optional
        Samples that the network was not trained on, by which epoch and hyper-parameters are chosen.
    methods : list of str, optional
        Names from ``tailfit.methods()``, combinations such as ``"los+class-balanced"``, or
        configurations in TOML. If not given, those of the literature's usual comparison, a few for
        ``effort="quick"``, all but ``"balanced-meta-softmax"`` for ``effort="full"``, and combinations too for
        ``effort="thorough"``.
    select : {"last", "validation", "cross-validated", "cross-fitted", "best-on-test"}, optional
        How epoch and hyper-parameters are chosen: on the validation set if there is one, else
        cross-fitted on the two halves of the test set.
    effort : {"quick", "standard", "thorough", "full"}
    seeds : int, optional
        Number of seeds; 5, or 1 for ``effort="quick"``.
    class_vectors : array of shape (n_classes, n_features), optional
        A vector for each class, such as the text encoder's of its name: adds the method ``"zero-shot"``
        and the combinations ``"+zero-shot"`` and ``"+gla"``.
    groups, groups_test, groups_val : array of shape (n_samples,), optional
        Which samples belong together, such as pictures of one patient. Folds keep those of ``groups``
        together, halves and intervals those of ``groups_test``; a group in two sets is warned of.
    n_jobs : int, optional
        Number of threads, of which results do not depend: all if not given or -1.
    progress : callable(done, total), or True for tqdm if it is installed
        Ctrl-C keeps the methods that are finished.
    """
    x_test = in_order_of(x_test, x, "x_test")
    x_val = in_order_of(x_val, x, "x_val")
    x, y, names = labelled(x, y, class_names)
    by_name = names is not None and class_names is None
    test = labelled_like(x_test, y_test, names, by_name, "x_test")
    validation = None if x_val is None else labelled_like(x_val, y_val, names, by_name, "x_val")
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

    bar = shown(progress)
    try:
        _native.compare(
            name,
            # Folds are cut in memory.
            (in_memory(x) if select == "cross-validated" else handed_over(x), y),
            (handed_over(test[0]), test[1]),
            validation and (handed_over(validation[0]), validation[1]),
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
            threads=threads(n_jobs),
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
        self.heads = {name: from_native(result, result["metadata"]) for name, result in results.items()}
        # Of each method, by the paths of files for it.
        self._written = {
            name: {path: result[key] for path, key in _WRITTEN.items()} for name, result in results.items()
        }
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
        header, *rows = csv.reader(io.StringIO(_native.table(self._json, "csv")))
        columns = {key: [_value(row[at]) for row in rows] for at, key in enumerate(header)}
        try:
            import pandas
        except ImportError:
            return columns
        return pandas.DataFrame(columns)

    def help(self) -> str:
        """What the table's columns are, what the advice is, and what else there is."""
        columns = _native.table(self._json, "help")
        caption = str(self).partition("\n")[0]
        advice = "\n".join(self.advice)
        return _Text(f"{caption}\n\n{columns}\n\n{advice}\n\n{_HELP}")

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
        """Write records, heads, curves, a report of each class, tables and ``report.html``, a page to look
        at, to a folder: the files that the program writes.

        As with the program, the folder belongs to one comparison: what ``manifest.json`` lists of an earlier
        one is removed.
        """
        texts = {}
        for text, record in zip(self._json, self.records):
            texts[f"records/{record['method']}-seed{record['seed']}.json"] = text
        for name, written in self._written.items():
            texts.update({path.format(name): text for path, text in written.items()})
        for name, form in _TABLES.items():
            texts[name] = _native.table(self._json, form)
        write(folder, texts, {f"heads/{name}.safetensors": head for name, head in self.heads.items()})

    def _scores(self, name, key):
        of = (record for record in self.records if record["method"] == name)
        return [record["evaluation"]["accuracy"][key] for record in of]

    def __str__(self) -> str:
        return _native.table(self._json, "text")

    def __repr__(self) -> str:
        return f"<tailfit.Comparison of {len(self.heads)} methods, best {self.best}>"

    def _repr_html_(self) -> str:
        return _native.table(self._json, "html")


class _Text(str):
    """Text that is shown as it is where an expression's value is shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_HELP = """\
.frame()      the table, with every number at full precision
.plot()       everything on one page, with figures, in the browser
.heads[name]  a head: .weight, .bias, .predict(x), .calibrated(x_held_out, y_held_out), .save(path)
.records      what was trained on what, and what came out; .save(folder) writes it all
tailfit.methods() names every method and its source."""

# The files of a method beside its head, and what is in them.
_WRITTEN = {
    "heads/{}.json": "head_record",
    "curves/{}.csv": "curves",
    "per-class/{}.csv": "per_class",
}

# The files of a comparison, and their forms.
_TABLES = {
    "report.html": "page",
    "report.md": "markdown",
    "summary.csv": "csv",
    "table.tex": "latex",
}


def _value(text):
    try:
        return float(text) if text else float("nan")
    except ValueError:
        return text
