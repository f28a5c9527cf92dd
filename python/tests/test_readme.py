"""README's Python lines run, and do what they say; tables of docs are those of their records."""

import importlib.util
import json
import pathlib
import re

import numpy as np
import pytest

import tailfit

README = pathlib.Path(__file__).parent.parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def block(*words):
    """The one block that has all of these words."""
    (found,) = [text for text in BLOCKS if all(word in text for word in words)]
    return found


def clusters(seed, sizes):
    rng, means = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((len(sizes), 6))
    y = np.repeat(np.arange(len(sizes)), sizes)
    return (means[y] + rng.standard_normal((len(y), 6))).astype(np.float32), y


def test_numpy_and_scikit_learn(tmp_path, monkeypatch):
    pytest.importorskip("safetensors")
    from safetensors.numpy import load_file
    from sklearn.linear_model import LogisticRegression

    monkeypatch.chdir(tmp_path)
    x, y = clusters(0, (40, 20, 5))
    clf = LogisticRegression().fit(x, y)
    exec(block("clf.coef_"), {"x": x, "y": y, "clf": clf})
    head = tailfit.load_head("head.safetensors")
    assert (head.predict(x) == clf.predict(x)).all()
    assert (load_file("train.safetensors")["features"] == x).all()


def test_pytorch(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    monkeypatch.chdir(tmp_path)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.fc = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU()), torch.nn.Linear(8, 3)

        def forward(self, x):
            return self.fc(self.body(x))

    torch.manual_seed(0)
    model = Model().eval()
    sets = [clusters(seed, sizes) for seed, sizes in [(0, (40, 20, 5)), (1, (20, 20, 20))]]
    loaders = [[(torch.from_numpy(x), torch.from_numpy(y))] for x, y in sets]
    names = {"model": model, "backbone": model.body}
    names["train_loader"], names["test_loader"] = loaders
    (x, _), = loaders[1]
    # By files: what the program reads.
    exec(block("def extract"), names)
    trained = tailfit.compare(
        names["extract"](loaders[0])["features"], sets[0][1], model.body(x), sets[1][1], methods="balanced-softmax"
    ).heads["balanced-softmax"]
    trained.save("tailfit-out/heads/balanced-softmax.safetensors")
    exec(block("load_file"), names)
    with torch.no_grad():
        np.testing.assert_allclose(model(x), trained.logits(model.body(x)), atol=1e-4)
    # In one process.
    exec(block("replace_head"), names)
    result = names["result"]
    with torch.no_grad():
        found = model(x).argmax(1).numpy()
        assert (found == result.heads[result.best].predict(model.body(x))).all()


def test_the_table_of_pretrained_sets_is_that_of_its_records():
    pytest.importorskip("sklearn")
    root = README.parent
    of = importlib.util.spec_from_file_location("pretrained", root / "python" / "benches" / "pretrained.py")
    bench = importlib.util.module_from_spec(of)
    of.loader.exec_module(bench)
    text = (root / "docs" / "pretrained.md").read_text(encoding="utf-8")
    records = [json.loads(line) for line in (root / "results" / "pretrained.jsonl").read_text().splitlines()]
    assert [text.count(bench.row(record)) for record in records] == [1] * 16
    assert all(line in text for line in bench.means(records))
