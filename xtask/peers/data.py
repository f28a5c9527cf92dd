"""Synthetic long-tailed deep features for timing: data.py FOLDER NAME.

Class means in a low-rank subspace with a power-law spectrum, plus noise, through a ReLU; counts as
in CIFAR-100-LT at imbalance ratio 100 (`wide`: 388). Written as raw little-endian f32 and u32.
"""

import sys

import numpy as np

# Features, noise of training and test, seed, classes, largest class, imbalance ratio.
SHAPES = {
    "a": (512, 1.25, 2.2, 1, 100, 500, 100),
    "a64": (64, 0.6, 1.3, 2, 100, 500, 100),
    "wide": (1280, 1.25, 2.2, 3, 121, 1300, 388),
}


def main(folder, name):
    dim, train_noise, test_noise, seed, n_classes, largest, ratio = SHAPES[name]
    rank = 48
    counts = [int(largest * (1 / ratio) ** (k / (n_classes - 1))) for k in range(n_classes)]
    rng = np.random.default_rng(seed)
    means = rng.standard_normal((n_classes, rank), dtype=np.float32)
    spectrum = (np.arange(1, rank + 1) ** -0.5).astype(np.float32)
    basis = rng.standard_normal((rank, dim), dtype=np.float32) * spectrum[:, None]
    basis /= np.sqrt((spectrum**2).sum())
    offset = rng.standard_normal(dim).astype(np.float32) * 0.3 - 0.3

    def features(labels, noise):
        hidden = means[labels] + noise * rng.standard_normal((len(labels), rank), dtype=np.float32)
        rest = 0.15 * rng.standard_normal((len(labels), dim), dtype=np.float32)
        return np.maximum(hidden @ basis + offset + rest, 0)

    for part, per_class, noise in [("train", counts, train_noise), ("test", 100, test_noise)]:
        labels = np.repeat(np.arange(n_classes), per_class).astype("<u4")
        rng.shuffle(labels)
        features(labels, noise).astype("<f4").tofile(f"{folder}/{name}-{part}.f32")
        labels.tofile(f"{folder}/{name}-{part}.u32")


main(*sys.argv[1:])
