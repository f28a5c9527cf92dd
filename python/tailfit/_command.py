"""The program ``tailfit``, which the package brings."""

import signal
import sys

from tailfit import _native


def main() -> int:
    """Run the program with this process's arguments."""
    # The program ends on Ctrl-C by itself, as it does outside of Python.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _native.run(["tailfit", *sys.argv[1:]])
