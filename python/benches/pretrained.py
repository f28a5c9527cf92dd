"""The head that tailfit recommends beside balanced logistic regression, on six pretrained sets.

    python python/benches/pretrained.py FOLDER [--splits N] [--effort EFFORT] [--records FILE]

FOLDER holds what pretrained_sets.py made. With --records, each split's record is added to a file of JSON lines, and splits that stand
there are not run again. Each set is split N times into 60 % training, 20 % validation and
20 % test samples of every class; CIFAR, with a test set of its own, once. Both sides choose on the validation set, and are scored on the test set once:
tailfit as its advice says after a comparison, cross-fitted, on that set ("Take ..."). The baseline is scikit-learn's LogisticRegression(class_weight="balanced") on features as they are and
standardised, C from 1e-3 to 1e2. The difference of class means is given with a 95 % interval over 2,000
paired bootstrap resamples of the test samples: each class is drawn by itself, with a share 4 / (n + 4) from
classes at random, and the interval moved to the difference as measured, as in tailfit's tables.
"""

import argparse
import hashlib
import json
import os
import time
import warnings
from pathlib import Path

# These hold OpenBLAS to the kernels of older processors: scikit-learn would be slower than it is.
for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(name, None)

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression

import tailfit

SETS = ["emoji-categories", "emoji-subcategories", "verbs", "nouns", "glosses", "cifar-100-lt"]
CS = 10.0 ** np.arange(-3, 3)
ALWAYS = ["balanced-softmax", "balanced-softmax-converged", "logit-adjustment", "los", "lda"]


def split(data, seed):
    """Training, validation and test samples, each class shared out by itself."""
    x, y = data["features"], data["labels"]
    rng = np.random.default_rng(seed)
    part = np.empty(len(y), int)
    n_train = int(data["n_train"]) if "n_train" in data else len(y)
    for k in range(y.max() + 1):
        rows = rng.permutation(np.flatnonzero(y[:n_train] == k))
        held_out = max(1, round(0.2 * len(rows)))
        if n_train < len(y):
            # A test set of its own; nothing else is held out but validation samples.
            part[rows] = 0
            part[rows[:held_out]] = 1
            continue
        part[rows] = 0
        part[rows[:held_out]] = 1
        part[rows[held_out : 2 * held_out]] = 2
    part[n_train:] = 2
    return [(np.ascontiguousarray(x[part == p]), y[part == p]) for p in range(3)]


def class_mean(right, y):
    """Mean over classes of the share that is right, in percent."""
    hits, n = np.bincount(y, right), np.bincount(y)
    return 100 * (hits[n > 0] / n[n > 0]).mean()


def baseline(parts):
    """Which test samples the best logistic regression by validation gets right, and its setting."""
    (x, y), (x_val, y_val), (x_test, y_test) = parts
    best = (-1.0, None, "")
    for scaled in (False, True):
        mean, deviation = (x.mean(0), x.std(0) + 1e-12) if scaled else (0.0, 1.0)
        for c in CS:
            model = LogisticRegression(C=c, class_weight="balanced", max_iter=500)
            model.fit((x - mean) / deviation, y)
            value = class_mean(model.predict((x_val - mean) / deviation) == y_val, y_val)
            if value > best[0]:
                right = model.predict((x_test - mean) / deviation) == y_test
                best = (value, right, f"C {c:g}{', standardised' if scaled else ''}")
    return best[1], best[2]


def interval(ours, theirs, y, rng):
    """A 95 % interval of the difference of class means."""
    order = np.argsort(y, kind="stable")
    _, start, n = np.unique(y[order], return_index=True, return_counts=True)
    apart = (ours.astype(float) - theirs)[order]
    differences = np.zeros(2000)
    for k, size in enumerate(n):
        shape = (len(differences), size)
        of = np.where(rng.random(shape) * (size + 4) < size, k, rng.integers(0, len(n), shape))
        differences += apart[start[of] + (rng.random(shape) * n[of]).astype(int)].mean(1)
    differences *= 100 / len(n)
    points = class_mean(ours, y) - class_mean(theirs, y)
    return np.percentile(differences, [2.5, 97.5]) + points - differences.mean()


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--effort", default="quick")
    parser.add_argument("--records", type=Path)
    parser.add_argument("--only", nargs="*", default=SETS)
    args = parser.parse_args()
    print("| set | split | training | recommended | class mean | baseline | class mean | difference | seconds |")
    print("|:--|--:|--:|:--|--:|:--|--:|:--|:--|")
    records = []
    if args.records and args.records.exists():
        records = [json.loads(line) for line in args.records.read_text().splitlines()]
    known = {(record["set"], record["split"], record["effort"]): record for record in records}
    shown = []
    for name in args.only:
        data = np.load(args.folder / f"{name}.npz")
        for seed in range(args.splits if "n_train" not in data else 1):
            record = known.get((name, seed, args.effort))
            if record is None:
                record = {"set": name, "split": seed, "effort": args.effort, **compared(name, split(data, seed), args.effort)}
                if args.records:
                    with args.records.open("a") as file:
                        file.write(json.dumps(record) + "\n")
            shown.append(record)
            print(row(record), flush=True)
    print("\n| chosen | mean class mean | splits |\n|:--|--:|--:|", *means(shown), sep="\n")


def means(records):
    """Lines of a table: what each choice comes to, the best first."""
    of = {choice: [] for choice in records[0]["class_means"]}
    for record in records:
        for choice, value in record["class_means"].items():
            of[choice].append(value)
    ordered = sorted(of.items(), key=lambda one: -np.mean(one[1]))
    return [f"| {choice} | {np.mean(values):.2f} | {len(values)} |" for choice, values in ordered]


def compared(name, parts, effort):
    """What both sides choose on the validation samples of a split, and what it scores on the test samples."""
    (x, y), (x_val, y_val), (x_test, y_test) = parts
    start = time.perf_counter()
    result = tailfit.compare(x, y, x_val, y_val, effort=effort, seeds=1, precision="f32", name=name)
    advised = result.advice[0].removeprefix("Take ").partition(":")[0]
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    theirs, setting = baseline(parts)
    their_seconds = time.perf_counter() - start
    right = {method: head.predict(x_test) == y_test for method, head in result.heads.items()}
    followed = {"what the advice says": advised, "the highest row on the validation set": result.best}
    followed |= {f"always {method}": method for method in ALWAYS if method in right}
    class_means = {choice: class_mean(right[method], y_test) for choice, method in followed.items()}
    class_means["scikit-learn"] = class_mean(theirs, y_test)
    n = np.bincount(y)
    return {
        "training": {"samples": len(y), "features": x.shape[1], "classes": len(n), "largest": int(n.max()), "smallest": int(n.min())},
        "sha256": {part: digest(*of) for part, of in zip(["training", "validation", "test"], parts)},
        "tailfit": tailfit.__version__,
        "scikit-learn": sklearn.__version__,
        "advised": advised,
        "baseline": setting,
        "class_means": class_means,
        "interval": list(interval(right[advised], theirs, y_test, np.random.default_rng(0))),
        "seconds": [seconds, their_seconds],
    }


def digest(x, y):
    """Of the features and then the labels, as little-endian f32 and i64."""
    return hashlib.sha256(x.astype("<f4").tobytes() + y.astype("<i8").tobytes()).hexdigest()


def row(record):
    n, means = record["training"], record["class_means"]
    ours, theirs = means["what the advice says"], means["scikit-learn"]
    low, high = record["interval"]
    seconds, their_seconds = record["seconds"]
    return (
        f"| {record['set']} | {record['split']} | {n['samples']} x {n['features']}, K = {n['classes']}, {n['largest']} to "
        f"{n['smallest']} | {record['advised']} | {ours:.2f} | {record['baseline']} | {theirs:.2f} | {ours - theirs:+.2f} "
        f"[{low:+.2f}, {high:+.2f}] | {seconds:.1f} / {their_seconds:.1f} |"
    )


if __name__ == "__main__":
    main()
