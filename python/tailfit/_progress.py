"""What shows progress."""

from __future__ import annotations

import sys


def shown(progress):
    """What is called with the work done and all there is: what was given, or, for True, a bar."""
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
