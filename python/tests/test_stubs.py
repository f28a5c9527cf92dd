"""What the stub says of the native part is what is there."""

import subprocess
import sys

import pytest


def test_the_stub_is_true(tmp_path):
    pytest.importorskip("mypy")
    words = [sys.executable, "-m", "mypy.stubtest", "tailfit._native"]
    ran = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
