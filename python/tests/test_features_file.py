"""Features out of models of PyTorch, written to a file as they come."""

import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tailfit
from tailfit.torch import features
from test_torch import Small, loader


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_features_are_written_as_they_come(tmp_path, dtype):
    dtype = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else dtype
    model, path = Small(), tmp_path / "new" / "train.safetensors"
    wanted = features(model, loader(60), dtype=dtype)
    taken = features(model, loader(60), dtype=dtype, path=path)
    assert isinstance(taken.x, np.memmap) and taken.x.mode == "r"
    assert taken.x.dtype == wanted.x.dtype and (taken.x == wanted.x).all() and (taken.y == wanted.y).all()
    assert (taken.head.weight == wanted.head.weight).all() and list(path.parent.iterdir()) == [path]
    # For others, and for the program.
    stored = pytest.importorskip("safetensors.torch").load_file(path)
    assert (stored["features"].float().numpy() == wanted.x.astype(np.float32)).all()
    assert (stored["labels"].numpy() == wanted.y).all()
    command = [sys.executable, "-c", "import sys; from tailfit._command import main; sys.exit(main())"]
    words = ["compare", "-q", "--train", path, "--test", path, "--methods", "lda", "--seeds", "1", "--out", "out"]
    ran = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    ours = tailfit.compare(taken.x, taken.y, wanted.x, wanted.y, methods="lda", effort="standard", seeds=1)
    head = tailfit.load_head(tmp_path / "out" / "heads" / "lda.safetensors")
    assert (head.weight == ours.heads["lda"].weight).all()


def test_half_a_file_of_features_is_none(tmp_path):
    path = tmp_path / "train.safetensors"

    def breaking():
        yield from loader(60)
        raise RuntimeError("no more")

    def at_once(x, y):
        yield x, y
        raise AssertionError("it went on")

    images = next(iter(loader()))[0]
    far = Small()
    far.fc.register_forward_pre_hook(lambda _layer, inputs: (1e6 * inputs[0],))
    for batches, error, match in [
        (breaking(), RuntimeError, "no more"),
        ([], ValueError, "at least one batch"),
        (at_once(images, torch.zeros(len(images), 5)), ValueError, "number of a class .* found float32 of shape"),
        (at_once(images, ["cat"] * len(images)), ValueError, "number of a class .* found str"),
    ]:
        with pytest.raises(error, match=match):
            features(Small(), batches, path=path)
        assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="numbers that float16 can hold, found none such in sample 0"):
        features(far, loader(), path=path, dtype=np.float16)
    with pytest.raises(ValueError, match="ends in .safetensors"):
        features(Small(), loader(), path=tmp_path / "train.npz")
    with pytest.raises(ValueError, match="dtype: expected one of float16"):
        features(Small(), loader(), path=path, dtype=np.int8)
    taken = features(Small(), [x for x, _ in loader(60)], path=path)
    assert taken.y is None and taken.x.shape == (60, 16)
