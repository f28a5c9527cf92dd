"""Features of other types and in files, threads, interrupts."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tailfit
from tailfit import _arrays
from tailfit._arrays import as_halves, handed_over, in_file
from tailfit.sklearn import TailClassifier, TailClassifierCV
from test_compare import data


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch):
    monkeypatch.setattr(_arrays, "_IN_MEMORY", 0)


def mapped(path, x):
    np.save(path, x)
    return np.load(path, mmap_mode="r")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_memory_map_stays_in_its_file(tmp_path, dtype):
    x, y = data()
    x = x.astype(dtype)
    on_disk = mapped(tmp_path / "x.npy", x)
    path, at, _, shape = in_file(on_disk)
    assert (at, shape) == (128, x.shape) and path.endswith("x.npy")
    assert handed_over(on_disk) == in_file(on_disk)
    if dtype != "float16":
        assert handed_over(x).dtype == np.float32
    run = lambda x: tailfit.compare(x, y, x, y, methods=["los", "lr-balanced"])  # noqa: E731
    assert run(on_disk).records == run(x).records
    folds = tailfit.compare(on_disk, y, on_disk, y, methods=["lda"], select="cross-validated")
    assert folds.records == tailfit.compare(x, y, x, y, methods=["lda"], select="cross-validated").records
    for estimator in (TailClassifier(), TailClassifierCV()):
        found = estimator.fit(on_disk, y).predict_proba(on_disk)
        assert (found == estimator.fit(x, y).predict_proba(x)).all()


def test_only_what_is_as_in_the_file_stays_there(tmp_path):
    x, y = data()
    on_disk = mapped(tmp_path / "x.npy", x)
    assert in_file(on_disk[10:50])[1] == 128 + 10 * 8 * 4
    assert in_file(np.asarray(on_disk)[10:]) is not None, "as scikit-learn passes it on"
    for other in (x, on_disk[::2], on_disk[:, :4], on_disk * 2, on_disk.T, on_disk.astype(">f4"), on_disk[:0]):
        assert in_file(other) is None
    assert in_file(np.load(tmp_path / "x.npy", mmap_mode="c")) is None, "its values may differ from the file's"
    part = tailfit.compare(on_disk[5:], y[5:], x, y, methods="lr-balanced")
    assert part.records == tailfit.compare(x[5:], y[5:], x, y, methods="lr-balanced").records
    # Another file of the same name, while the map still shows the old one.
    other = x.copy()
    other[1:-1] *= 2
    np.save(tmp_path / "other.npy", other)
    os.replace(tmp_path / "other.npy", tmp_path / "x.npy")
    assert in_file(on_disk) is None
    os.remove(tmp_path / "x.npy")
    assert in_file(on_disk) is None
    assert (TailClassifier().fit(on_disk, y).coef_ == TailClassifier().fit(x, y).coef_).all()


_FIT = """
import re
import sys

import numpy as np

from tailfit import _arrays
from tailfit.sklearn import TailClassifier

_arrays._IN_MEMORY = 0

rng = np.random.default_rng(0)
x = rng.standard_normal((40_000, 512), dtype=np.float32).astype(sys.argv[1])
y = np.arange(len(x)) % 4
TailClassifier("nearest-class-mean-centred").fit(x[:100], y[:100])


def most():
    # The process's own: getrusage counts what its parent held.
    with open("/proc/self/status") as status:
        return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1])


before = most()
TailClassifier("nearest-class-mean-centred").fit(x, y)
print((most() - before) / x.nbytes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a process's memory is read from /proc")
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_arrays_are_not_copied(dtype):
    printed = subprocess.run([sys.executable, "-c", _FIT, dtype], check=True, capture_output=True, text=True)
    assert float(printed.stdout) < 0.5


def test_arrays_of_any_layout_give_the_same_head():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 5), dtype=np.float32), np.arange(60) % 3
    shifted = np.frombuffer(b"\0" + x.tobytes(), np.float32, offset=1).reshape(x.shape)
    assert not shifted.flags.aligned and _arrays.in_memory(shifted).flags.aligned
    wanted = TailClassifier().fit(x, y).coef_
    turned, every_other = np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2]
    for other in (turned, every_other, shifted, x.astype(">f4")):
        assert (TailClassifier().fit(other, y).coef_ == wanted).all()
    # Below what puts them in order, too.
    recipe, y = tailfit._native.recipe("ridge", []), y.astype(np.uint32)
    wanted = tailfit._native.fit((x, y), recipe)["weight"]
    for other in (turned, every_other):
        assert (tailfit._native.fit((other, y), recipe)["weight"] == wanted).all()


@pytest.mark.parametrize("large", [False, True])
def test_half_precision(large, monkeypatch):
    monkeypatch.setattr(_arrays, "_IN_MEMORY", 0 if large else 1 << 30)
    x, y = data()
    short = np.asarray(x, np.float16)
    assert (as_halves(short) is not None) == large
    for estimator in (TailClassifier(), TailClassifier("los", solver="sgd", random_state=0), TailClassifierCV()):
        wanted = estimator.fit(short.astype(np.float32), y).coef_
        assert (estimator.fit(short, y).coef_ == wanted).all()
    ml_dtypes = pytest.importorskip("ml_dtypes")
    brain = x.astype(ml_dtypes.bfloat16)
    assert (as_halves(brain) is not None) == large
    exact = brain.astype(np.float32)
    for select in (None, "cross-validated"):
        run = lambda x: tailfit.compare(x, y, x, y, methods=["lr-balanced", "los"], select=select)  # noqa: E731, B023
        assert run(brain).records == run(exact).records


def test_tensors_of_half_precision_stay_as_they_are():
    torch = pytest.importorskip("torch")
    x, _ = data()
    short = torch.from_numpy(x).half()
    found = _arrays.features(short)
    assert found.dtype == np.float16 and np.shares_memory(found, short.numpy())
    for other in (short.double(), short.bfloat16()):
        assert _arrays.features(other).dtype == np.float32


def test_only_what_can_be_read_as_it_is_stays_in_half_precision():
    x = np.arange(24, dtype=np.float16).reshape(4, 6)
    found, dtype = as_halves(x[1:3])
    assert dtype == "f16" and np.shares_memory(found, x) and found.tobytes() == x[1:3].tobytes()
    for other in (x[::2], x[:, :4], x.T, x.astype(">f2"), x[:0], x.astype(np.uint16), x[0]):
        assert as_halves(other) is None
    bad = x.copy()
    bad[2, 3] = np.nan
    with pytest.raises(ValueError, match="row 2, column 3"):
        tailfit.compare(bad, [0, 0, 1, 1], x, [0, 0, 1, 1], methods="los")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames(library):
    library = pytest.importorskip(library)
    x, y = data()
    frame = library.DataFrame({f"feature {j}": x[:, j] for j in range(x.shape[1])})
    names = np.array(["common", "rare", "rarer", "rarest"])[y]
    model = TailClassifier().fit(frame, library.Series(names))
    assert (model.predict(frame) == TailClassifier().fit(x, names).predict(x)).all()
    # Older releases of scikit-learn do not see the names of polars.
    names_seen = getattr(model, "feature_names_in_", frame.columns)
    assert list(names_seen) == list(frame.columns)
    result = tailfit.compare(frame, library.Series(names), frame, library.Series(names), methods="lr-balanced")
    assert result.class_names == ["common", "rare", "rarer", "rarest"]
    # Columns go by their names.
    turned = frame[list(frame.columns)[::-1]]
    again = tailfit.compare(frame, library.Series(names), turned, library.Series(names), methods="lr-balanced")
    assert again.records == result.records
    renamed = library.DataFrame({f"other {j}": x[:, j] for j in range(x.shape[1])})
    with pytest.raises(ValueError, match="none named 'feature 0'"):
        tailfit.compare(frame, names, renamed, names, methods="lr-balanced")


def test_many_fits_at_once():
    x, y = data()

    def work(number):
        if number % 3 == 0:
            return tailfit.compare(x, y, x, y, methods=["los", "lda"], seeds=1).records
        model = TailClassifier("balanced-softmax" if number % 3 == 1 else "lr-balanced")
        return model.fit(x, y).coef_.tobytes(), model.predict_proba(x).tobytes()

    alone = [work(number) for number in range(3)]
    with ThreadPoolExecutor(8) as pool:
        for number, result in enumerate(pool.map(work, range(24))):
            assert result == alone[number % 3]


def test_results_do_not_depend_on_threads():
    x, y = data()
    one, three = (tailfit.compare(x, y, x, y, methods=["los", "lda"], n_jobs=n) for n in (1, 3))
    assert one.records == three.records
    assert (TailClassifier(n_jobs=1).fit(x, y).coef_ == TailClassifier(n_jobs=2).fit(x, y).coef_).all()
    assert _arrays.threads(-1) is None and _arrays.threads(-1000) == 1 and _arrays.threads(np.int64(2)) == 2
    for wrong in (0, 0.5, "2"):
        with pytest.raises(ValueError, match="n_jobs"):
            tailfit.compare(x, y, x, y, methods=["lda"], n_jobs=wrong)


def test_a_fit_that_is_interrupted_ends():
    x = np.random.default_rng(0).standard_normal((20_000, 256)).astype(np.float32)
    y = np.arange(len(x)) % 100
    model = TailClassifier("los", solver="sgd", weight_decay=None, params={"epochs": 100_000})
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    references = sys.getrefcount(x)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            model.fit(x, y)
    finally:
        timer.cancel()
    # Whatever it left would keep a processor busy, or the features.
    time.sleep(0.5)
    gc.collect()
    assert sys.getrefcount(x) == references
    before, began = time.process_time(), time.perf_counter()
    time.sleep(1.0)
    assert (time.process_time() - before) / (time.perf_counter() - began) < 0.2
