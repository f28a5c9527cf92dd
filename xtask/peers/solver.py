"""scikit-learn's logistic regression for timing: solver.py FOLDER NAME DIM DECAY, or solver.py --version.

For each line on standard input, fits once with the default tolerance and prints seconds, the
objective, the number of iterations and the peak of memory in MB. The intercept is not penalised.
"""

import json
import re
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info

if sys.argv[1:] == ["--version"]:
    kernels = {info["architecture"] for info in threadpool_info() if info["internal_api"] == "openblas"}
    print(f"scikit-learn {sklearn.__version__} on OpenBLAS's kernels for {', '.join(sorted(kernels))}")
    sys.exit()

folder, name, dim, decay = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
X = np.fromfile(f"{folder}/{name}-train.f32", "<f4").reshape(-1, dim)
Y = np.fromfile(f"{folder}/{name}-train.u32", "<u4").astype(np.int64)

for _ in sys.stdin:
    # The peak of memory starts anew.
    Path("/proc/self/clear_refs").write_text("5")
    model = LogisticRegression(C=1 / (decay * len(X)), solver="lbfgs", max_iter=2000)
    start = time.perf_counter()
    model.fit(X, Y)
    seconds = time.perf_counter() - start
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    W, b = model.coef_.astype(np.float64), model.intercept_.astype(np.float64)
    loss = 0.0
    for rows in range(0, len(X), 4096):
        z = X[rows : rows + 4096].astype(np.float64) @ W.T + b
        top = z.max(1, keepdims=True)
        loss += (np.log(np.exp(z - top).sum(1)) + top[:, 0] - z[np.arange(len(z)), Y[rows : rows + 4096]]).sum()
    objective = loss / len(X) + 0.5 * decay * (W**2).sum()
    found = {"seconds": seconds, "objective": objective, "iterations": int(max(model.n_iter_)), "megabytes": peak}
    print(json.dumps(found), flush=True)
