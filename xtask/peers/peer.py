"""One peer on one data set: peer.py WHICH FOLDER NAME DIM.

Reads commands from standard input, one a line: `EPOCHS HEADS`. Trains that many heads with
cross-entropy (batch 64, momentum 0.9, weight decay 5e-4, cosine over 20 epochs of which the first
EPOCHS are run) and answers with one line of JSON: seconds, objective, test accuracy. The process
stays, so that imports and compilation are outside the times.
"""

import json
import math
import sys
import time

import numpy as np

WHICH, FOLDER, NAME, DIM = *sys.argv[1:4], int(sys.argv[4])
BATCH, DECAY, EPOCHS = 64, 5e-4, 20
LR = 0.02
THREADS = 2


def load(part):
    features = np.fromfile(f"{FOLDER}/{NAME}-{part}.f32", "<f4").reshape(-1, DIM)
    return features, np.fromfile(f"{FOLDER}/{NAME}-{part}.u32", "<u4").astype(np.int64)


X, Y = load("train")
N, K = len(Y), int(Y.max()) + 1


def rate(epoch):
    return LR * 0.5 * (1 + math.cos(math.pi * epoch / EPOCHS))


def torch_loop(loader):
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    torch.set_num_threads(THREADS)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)

    def train(epochs, _heads):
        torch.manual_seed(0)
        head = nn.Linear(DIM, K)
        optimiser = torch.optim.SGD(head.parameters(), lr=LR, momentum=0.9, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
        batches = DataLoader(TensorDataset(x, y), batch_size=BATCH, shuffle=True)

        def indexed():
            order = torch.randperm(N)
            for i in range(0, N, BATCH):
                yield x[order[i : i + BATCH]], y[order[i : i + BATCH]]

        for _ in range(epochs):
            for features, labels in batches if loader else indexed():
                optimiser.zero_grad()
                nn.functional.cross_entropy(head(features), labels).backward()
                optimiser.step()
            schedule.step()
        return head.weight.detach().numpy(), head.bias.detach().numpy()

    return train


def torch_stacked(half):
    import torch

    torch.set_num_threads(THREADS)
    x, y = torch.from_numpy(X), torch.from_numpy(Y)
    x_half = x.bfloat16()

    def train(epochs, heads):
        torch.manual_seed(0)
        w = (torch.rand(heads * K, DIM) * 2 - 1) / math.sqrt(DIM)
        b, v_w, v_b = torch.zeros(heads * K), torch.zeros_like(w), torch.zeros(heads * K)
        # Every head has its own hyper-parameters, as in a grid.
        decay, factor = torch.full((heads * K,), DECAY), torch.ones(heads * K)
        for epoch in range(epochs):
            order, lr = torch.randperm(N), factor * rate(epoch)
            for i in range(0, N, BATCH):
                rows = order[i : i + BATCH]
                n = len(rows)
                if half:
                    batch = x_half[rows]
                    z = (batch @ w.bfloat16().T).float().add_(b)
                else:
                    batch = x[rows]
                    z = torch.addmm(b, batch, w.T)
                g = torch.softmax(z.view(n, heads, K), 2)
                label = y[rows][:, None, None].expand(n, heads, 1)
                g.scatter_add_(2, label, torch.full((n, heads, 1), -1.0))
                g = g.div_(n).view(n, heads * K)
                v_w.mul_(0.9).addcmul_(w, decay[:, None])
                if half:
                    v_w.add_((g.bfloat16().T @ batch).float())
                else:
                    v_w.addmm_(g.T, batch)
                v_b.mul_(0.9).add_(g.sum(0)).addcmul_(b, decay)
                w.addcmul_(v_w, -lr[:, None])
                b.addcmul_(v_b, -lr)
        return w[:K].numpy(), b[:K].numpy()

    return train


def jax_stacked():
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(X), jnp.asarray(Y)
    steps = N // BATCH

    def step(lr, decay, state, rows):
        w, b, v_w, v_b = state
        heads = w.shape[0] // K
        batch = x[rows]
        z = (batch @ w.T + b).reshape(BATCH, heads, K)
        g = jax.nn.softmax(z, -1) - jax.nn.one_hot(y[rows], K)[:, None, :]
        g = g.reshape(BATCH, heads * K) / BATCH
        v_w = 0.9 * v_w + g.T @ batch + decay[:, None] * w
        v_b = 0.9 * v_b + g.sum(0) + decay * b
        return (w - lr[:, None] * v_w, b - lr * v_b, v_w, v_b), None

    @jax.jit
    def epoch_of(state, rows, lr, decay):
        return jax.lax.scan(lambda s, r: step(lr, decay, s, r), state, rows)[0]

    def train(epochs, heads):
        rng = np.random.default_rng(0)
        w = jnp.asarray((rng.random((heads * K, DIM), dtype=np.float32) * 2 - 1) / math.sqrt(DIM))
        zero = jnp.zeros(heads * K)
        state, decay = (w, zero, jnp.zeros_like(w), zero), jnp.full(heads * K, DECAY)
        for epoch in range(epochs):
            rows = rng.permutation(N)[: steps * BATCH].reshape(steps, BATCH)
            state = epoch_of(state, jnp.asarray(rows), jnp.full(heads * K, rate(epoch)), decay)
        return np.asarray(state[0][:K]), np.asarray(state[1][:K])

    return train


def scikit():
    from sklearn.linear_model import LogisticRegression

    def train(_epochs, _heads):
        model = LogisticRegression(C=1 / (DECAY * N), solver="lbfgs", max_iter=100)
        model.fit(X, Y)
        return model.coef_, model.intercept_

    return train


def quality(w, b):
    z = X @ w.T + b
    top = z.max(1, keepdims=True)
    loss = (np.log(np.exp(z - top).sum(1)) + top[:, 0] - z[np.arange(N), Y]).mean()
    features, labels = load("test")
    accuracy = 100 * ((features @ w.T + b).argmax(1) == labels).mean()
    return float(loss + 0.5 * DECAY * (w.astype(np.float64) ** 2).sum()), float(accuracy)


TRAINERS = {
    "torch-loader": lambda: torch_loop(True),
    "torch-indexed": lambda: torch_loop(False),
    "torch-stacked": lambda: torch_stacked(False),
    "torch-stacked-bf16": lambda: torch_stacked(True),
    "jax-stacked": jax_stacked,
    "scikit-lbfgs": scikit,
}

trainer = TRAINERS[WHICH]()
for line in sys.stdin:
    epochs, heads = map(int, line.split())
    start = time.perf_counter()
    head = trainer(epochs, heads)
    seconds = time.perf_counter() - start
    objective, accuracy = quality(*head)
    print(json.dumps({"seconds": seconds, "objective": objective, "accuracy": accuracy}), flush=True)
