"""Times TailClassifier beside scikit-learn's LogisticRegression on the same objective.

Balanced logistic regression with C = 0.1 on synthetic long-tailed features whose directions differ 30
times in size. Each is run at several tolerances, in turns, in a process of its own; what counts is the time to
the same objective. Memory is what the process needs at most beyond what it held before the fit.

    python python/benches/logistic.py [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np

C = 0.1
SHAPES = [(10_847, 512, 100), (50_000, 768, 200)]
# These hold OpenBLAS to the kernels of older processors: scikit-learn would be slower than it is.
SLOWER = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
TOLERANCES = {"tailfit": (1e-1, 1e-2, 1e-3), "scikit-learn": (1e-4, 1e-5, 1e-6)}


def features(n, dim, k):
    """Samples of classes whose frequencies differ 100 times."""
    rng = np.random.default_rng(0)
    frequency = np.geomspace(1, 0.01, k)
    y = np.concatenate([np.arange(k), rng.choice(k, n - k, p=frequency / frequency.sum())])
    means = 0.35 * rng.standard_normal((k, dim))
    x = (means[y] + rng.standard_normal((n, dim))) * np.geomspace(3, 0.1, dim)
    return x.astype(np.float32), y


def objective(weight, bias, x, y):
    """Weighted mean loss plus penalty, in double precision."""
    of_class = 1 / np.bincount(y)[y]
    loss = 0.0
    for at in range(0, len(y), 4096):
        rows = slice(at, at + 4096)
        z = x[rows].astype(np.float64) @ weight.T + bias
        z -= z.max(axis=1, keepdims=True)
        of_row = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(z)), y[rows]]
        loss += (of_class[rows] * of_row).sum()
    return loss / of_class.sum() + (weight**2).sum() / (2 * len(y) * C)


def held(line):
    """Megabytes that this process holds (VmRSS), or has held at most (VmHWM)."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(text.split()[1]) for text in file if text.startswith(line)) * 1024 / 1e6


def forget():
    """Makes VmHWM start anew."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def one(who, tol, folder):
    """A single fit."""
    from sklearn.linear_model import LogisticRegression

    from tailfit.sklearn import TailClassifier

    warnings.filterwarnings("ignore")
    x, y = np.load(f"{folder}/x.npy"), np.load(f"{folder}/y.npy")
    if who == "tailfit":
        model = TailClassifier("lr-balanced", weight_decay=1 / (len(y) * C), tol=tol)
    else:
        model = LogisticRegression(C=C, class_weight="balanced", max_iter=3000, tol=tol)
    forget()
    before = held("VmRSS")
    start = time.perf_counter()
    model.fit(x, y)
    seconds = time.perf_counter() - start
    memory = held("VmHWM") - before
    steps = int(np.max(model.n_iter_))
    return seconds, memory, objective(model.coef_, model.intercept_, x, y), steps


def main():
    environment = {name: value for name, value in os.environ.items() if name not in SLOWER}
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    for n, dim, k in SHAPES:
        x, y = features(n, dim, k)
        print(f"{n} x {dim}, K = {k} ({x.nbytes / 1e6:.0f} MB); medians of {rounds}")
        runs = {}
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/x.npy", x)
            np.save(f"{folder}/y.npy", y)
            for _ in range(rounds):
                for who, tolerances in TOLERANCES.items():
                    for tol in tolerances:
                        words = [sys.executable, __file__, "--one", who, str(tol), folder]
                        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, env=environment)
                        runs.setdefault((who, tol), []).append(json.loads(done.stdout))
        for (who, tol), found in runs.items():
            seconds, memory, value, steps = (statistics.median(of) for of in zip(*found))
            print(f"  {who:12}  tol {tol:.0e}  {seconds:6.2f} s  {memory:5.0f} MB  objective {value:.6f}  {steps} passes")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(sys.argv[2], float(sys.argv[3]), sys.argv[4])))
    else:
        main()
