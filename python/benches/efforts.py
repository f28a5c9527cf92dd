"""What each effort of a comparison finds, and whether its advice holds on samples it has not seen.

    python python/benches/efforts.py SET ... [--efforts quick standard full] [--seeds N]

SET is NAME=TRAIN.npz,TEST.npz[,HEAD.safetensors] with arrays ``features`` and ``labels``. The test set is
halved, each class by itself. A comparison chooses on one half, cross-fitted, and gives its advice; the head
that this says to take is scored on the other half, and the other way round. Beside it stand the heads of
methods that one could always take, and the best of all heads on the other half, which is chosen on the very
samples that it is scored on (starred). Costs are head-epochs of SGD; heads in closed form and by solvers come
on top.
"""

import argparse
import warnings

import numpy as np

import tailfit

ALWAYS = ["balanced-softmax-converged", "balanced-softmax", "lr-balanced", "logit-adjustment", "los"]


def halves(labels):
    """For each sample 0 or 1, in turns within its class; the next class goes on with the turn."""
    rng, part, turn = np.random.default_rng(0), np.empty(len(labels), int), 0
    for k in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == k))
        part[rows] = (turn + np.arange(len(rows))) % 2
        turn += len(rows)
    return part


def recommended(result):
    """The method that the advice says to take; the best row where it says none."""
    line = next((line for line in result.advice if line.startswith("Take ")), f"Take {result.best}:")
    return line.removeprefix("Take ").partition(":")[0]


def class_mean(head, x, y):
    """Mean over classes of the share that is right, in percent."""
    hits, n = np.bincount(y, head.predict(x) == y), np.bincount(y)
    return 100 * (hits[n > 0] / n[n > 0]).mean()


def read(text):
    """The parts of a set: its name, training samples, test samples, and the given head."""
    name, _, files = text.partition("=")
    train, test, *head = files.split(",")
    sets = [np.load(file) for file in (train, test)]
    (x, y), (x_test, y_test) = [(each["features"].astype(np.float32), each["labels"].astype(int)) for each in sets]
    return name, (x, y), (x_test, y_test), tailfit.load_head(head[0]) if head else None


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser()
    parser.add_argument("sets", nargs="+", type=read)
    parser.add_argument("--efforts", nargs="+", default=["quick", "standard", "full"])
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    names = " | ".join(ALWAYS)
    print(f"| set | effort | methods | head-epochs | takes | on the other half | best there* | {names} |")
    print("|:--|:--|--:|--:|:--|--:|--:|" + "--:|" * len(ALWAYS))
    for name, (x, y), (x_test, y_test), head in args.sets:
        half = halves(y_test)
        for effort in args.efforts:
            found, taken, spent = [], [], 0
            for seen in (0, 1):
                here, there = half == seen, half != seen
                result = tailfit.compare(
                    x, y, x_test[here], y_test[here], head=head, effort=effort, seeds=args.seeds, name=name
                )
                taken.append(recommended(result))
                score = {m: class_mean(h, x_test[there], y_test[there]) for m, h in result.heads.items()}
                always = [score.get(method, np.nan) for method in ALWAYS]
                found.append([score[taken[-1]], max(score.values()), *always])
                spent += sum((record["selection"].get("head_epochs") or 0) for record in result.records)
            means = " | ".join("–" if np.isnan(mean) else f"{mean:.2f}" for mean in np.mean(found, axis=0))
            takes = ", ".join(dict.fromkeys(taken))
            print(f"| {name} | {effort} | {len(result.heads)} | {spent // 2:,} | {takes} | {means} |", flush=True)


if __name__ == "__main__":
    main()
