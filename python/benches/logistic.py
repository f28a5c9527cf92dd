"""Times TailClassifier beside scikit-learn's LogisticRegression on the same objective.

Balanced logistic regression with C = 0.1 on synthetic long-tailed features whose directions differ 30
times in size. Each is run at several tolerances; what counts is the time to the same objective.

    python python/benches/logistic.py
"""

import time
import warnings

import numpy as np
from sklearn.linear_model import LogisticRegression

from tailfit.sklearn import TailClassifier

C = 0.1


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
    z = x.astype(np.float64) @ weight.T + bias
    z -= z.max(axis=1, keepdims=True)
    loss = np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]
    of_class = 1 / np.bincount(y)[y]
    return (of_class * loss).sum() / of_class.sum() + (weight**2).sum() / (2 * len(y) * C)


def main():
    warnings.filterwarnings("ignore")
    for n, dim, k in [(10_847, 512, 100), (50_000, 768, 200)]:
        x, y = features(n, dim, k)
        print(f"{n} x {dim}, K = {k}")
        for tol in (1e-1, 1e-2, 1e-3):
            start = time.perf_counter()
            ours = TailClassifier("lr-balanced", weight_decay=1 / (n * C), tol=tol).fit(x, y)
            seconds = time.perf_counter() - start
            value = objective(ours.head_.weight, ours.head_.bias, x, y)
            print(f"  tailfit       tol {tol:.0e}  {seconds:6.2f} s  objective {value:.6f}  {ours.n_iter_} passes")
        for tol in (1e-4, 1e-5, 1e-6):
            start = time.perf_counter()
            theirs = LogisticRegression(C=C, class_weight="balanced", max_iter=3000, tol=tol).fit(x, y)
            seconds = time.perf_counter() - start
            value = objective(theirs.coef_, theirs.intercept_, x, y)
            print(f"  scikit-learn  tol {tol:.0e}  {seconds:6.2f} s  objective {value:.6f}  {theirs.n_iter_[0]} iterations")


if __name__ == "__main__":
    main()
