"""Comparisons give what the program gives, bit for bit."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import tailfit


def data(seed=0, sizes=(120, 40, 12, 5), dim=8):
    rng = np.random.default_rng(seed)
    means = np.random.default_rng(9).standard_normal((len(sizes), dim))
    y = np.repeat(np.arange(len(sizes)), sizes)
    x = (means[y] + rng.standard_normal((len(y), dim))).astype(np.float32)
    return x, y


def test_the_program_gives_the_same_bits(tmp_path):
    x, y = data()
    x_test, y_test = data(1, (30, 30, 30, 30))
    result = tailfit.compare(x, y, x_test, y_test, methods=["los", "lr-balanced"], seeds=2)
    np.savez(tmp_path / "train.npz", features=x, labels=y)
    np.savez(tmp_path / "test.npz", features=x_test, labels=y_test)
    words = ["compare", "-q", "--train", "train.npz", "--test", "test.npz", "--effort", "quick"]
    words += ["--methods", "los,lr-balanced", "--seeds", "2", "--json"]
    program = [sys.executable, "-c", "import sys; from tailfit._command import main; sys.exit(main())"]
    ran = subprocess.run([*program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    theirs = json.loads(ran.stdout)
    assert [r["heads"] for r in result.records] == [r["heads"] for r in theirs]
    assert [r["evaluation"] for r in result.records] == [r["evaluation"] for r in theirs]
    head = tailfit.load_head(tmp_path / "tailfit-out" / "heads" / "los.safetensors")
    assert (head.weight == result.heads["los"].weight).all()
    # The same files, and the same in those that name no place of theirs.
    result.save(tmp_path / "ours")
    files = lambda folder: {  # noqa: E731
        path.relative_to(tmp_path / folder).as_posix(): path.read_bytes()
        for path in (tmp_path / folder).rglob("*.*")
        if path.is_file() and not path.name.startswith(".")
    }
    ours, by_program = files("ours"), files("tailfit-out")
    assert ours.keys() == by_program.keys()
    same = {name for name in ours if ours[name] == by_program[name]}
    assert same >= {name for name in ours if name.startswith(("curves/", "per-class/"))}, ours.keys() - same
    assert head.metadata.items() >= result.heads["los"].metadata.items() >= {("method", "los")}


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="head.safetensors"):
        tailfit.load_head(tmp_path / "head.safetensors")
    (tmp_path / "head.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(tailfit.DataError, match="head.safetensors"):
        tailfit.load_head(tmp_path / "head.safetensors")


@pytest.mark.parametrize("method", ["disalign", "nearest-class-mean-centred", "cosine", "los"])
def test_heads_that_are_more_than_a_layer(tmp_path, method):
    x, y = data()
    x = x + np.linspace(1, 3, x.shape[1], dtype=np.float32)
    x_test, y_test = data(1, (30, 30, 30, 30))
    x_test = x_test + np.linspace(1, 3, x.shape[1], dtype=np.float32)
    stage_1 = tailfit.compare(x, y, x_test, y_test, methods=["lr-balanced"]).heads["lr-balanced"]
    result = tailfit.compare(x, y, x_test, y_test, methods=[method], head=stage_1, select="best-on-test")
    head = result.heads[method]
    assert head.is_linear == (method == "los")
    assert (head.gate is not None, head.centre is not None) == (
        method == "disalign",
        method == "nearest-class-mean-centred",
    )
    right = result.records[0]["evaluation"]["accuracy"]["overall_percent"]
    assert abs(100 * (head.predict(x_test) == y_test).mean() - right) < 1e-9
    head.save(tmp_path / "head.safetensors")
    again = tailfit.load_head(tmp_path / "head.safetensors")
    assert np.allclose(again.logits(x_test), head.logits(x_test), atol=1e-6)
    temperature = float(head.calibrated(x_test, y_test).metadata["temperature"])
    calibrated = head.calibrated(x_test, y_test).logits(x_test)
    assert np.allclose(calibrated * temperature, head.logits(x_test))
    if head.gate or head.centre is not None:
        with pytest.raises(ValueError, match="without a gate or a centre"):
            tailfit.compare(x, y, x_test, y_test, methods=["los"], head=head)


def test_a_head_says_the_order_of_its_classes(tmp_path):
    x, y = data()
    names = np.array(["ant", "bee", "cow", "dog"])
    head = tailfit.compare(x, names[y], x, names[y], methods="los").heads["los"]
    head.save(tmp_path / "head.safetensors")
    head = tailfit.load_head(tmp_path / "head.safetensors")
    again = tailfit.compare(x, names[y], x, names[y], methods="los", head=head)
    assert again.records[0]["data"]["stage_1"] == "given"
    with pytest.raises(ValueError, match="expected class 0 to be `dog`, as in training, found `ant`"):
        tailfit.compare(x, y, x, y, methods="los", head=head, class_names=names[::-1])


def test_groups_are_kept_together():
    x, y = data()
    x, y = np.repeat(x, 4, axis=0), np.repeat(y, 4)
    patients = np.array([f"patient {i // 4}" for i in range(len(y))])
    run = lambda **more: tailfit.compare(  # noqa: E731
        x, y, x, y, methods=["lda"], select="cross-validated", groups_test=patients, **more
    )
    with pytest.warns(UserWarning, match="groups are in training too"):
        with_groups = run(groups=patients)
    without = run()
    percent = [r.records[0]["heads"][0]["validation_percent"] for r in (with_groups, without)]
    assert percent[0] < percent[1], percent
    assert with_groups.records[0]["data"]["test_groups"] == len(y) // 4
    with pytest.raises(ValueError, match="found none at 0"):
        tailfit.compare(x, y, x, y, methods=["lda"], groups_test=np.full(len(y), np.nan))
    with pytest.raises(ValueError, match="groups_test: expected shape"):
        tailfit.compare(x, y, x, y, methods=["lda"], groups_test=patients[1:])


def test_what_comes_back(tmp_path, monkeypatch):
    x, y = data()
    x_test, y_test = data(1, (30, 30, 30, 30))
    names = np.array(["dog", "ant", "cow", "bee"])
    result = tailfit.compare(x, names[y], x_test, names[y_test])
    assert result.class_names == ["ant", "bee", "cow", "dog"]
    assert "balanced-softmax" in result.heads and result.best in result.heads
    assert "<table>" in result._repr_html_() and "to the best" in str(result)
    assert result.advice and result.advice[0].startswith("Take ")
    said = repr(result.help())
    assert all(f"\n{header}: " in said for header in ("method", "to the best", "ECE", "LoMa CV")), said
    columns = result.frame()
    assert list(columns["method"]) == list(result.heads)
    result.save(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    tailfit.compare(x, y, x_test, y_test, methods=["lda"]).save(tmp_path / "out")
    kept = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert kept >= {"notes.txt", "lda-seed0.json"} and "los-seed0.json" not in kept
    # A disk that is full leaves the files as they were, and nothing beside them.
    with monkeypatch.context() as full:
        full.setattr("os.fsync", lambda _file: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            result.save(tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()} == kept
    result.save(tmp_path / "out")
    assert "Accuracy of each class" in page and "cow" in page
    assert 'title="what was trained' in page
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert open(result.plot(tmp_path / "page.html"), encoding="utf-8").read() == page
    assert opened[0].startswith("file:") and os.path.exists(result.plot())
    head = tailfit.load_head(tmp_path / "out" / "heads" / "los.safetensors")
    assert (head.predict(x_test) == result.heads["los"].predict(x_test)).all()
    calibrated = result.heads["los"].calibrated(x_test, y_test)
    assert (calibrated.predict(x_test) == head.predict(x_test)).all()
    for wrong in (y_test[:-1], y_test + 1, -y_test - 1):
        with pytest.raises(ValueError, match="y: expected"):
            head.calibrated(x_test, wrong)
    assert np.allclose(calibrated.predict_proba(x_test).sum(axis=1), 1)


def test_mistakes_are_said():
    x, y = data()
    with pytest.raises(ValueError, match="`los`"):
        tailfit.compare(x, y, x, y, methods=["lose"])
    with pytest.raises(ValueError, match="select"):
        tailfit.compare(x, y, x, y, methods=["los"], select="best")
    with pytest.raises(tailfit.DataError, match="8 features"):
        tailfit.compare(x, y, x[:, :5], y, methods=["los"])
    with pytest.raises(tailfit.DataError, match="finite"):
        tailfit.compare(np.where(x > 2, np.nan, x), y, x, y, methods=["los"])
    with pytest.raises(ValueError, match="head"):
        tailfit.compare(x, y, x, y, head=(np.zeros((4, 8)), np.zeros(3)), methods=["los"])
    with pytest.raises(ValueError, match="shape"):
        tailfit.compare(x[0], y, x, y)
    with pytest.raises(ValueError, match="each name once"):
        tailfit.compare(x, y, x, y, methods=["los", "los"])
    names = np.array(["a", "b", "c", "d"])[y]
    for labels, test_labels, why in (
        (names, y, "found numbers"),
        (np.where(y == 0, None, names), names, "none at 0"),
        (np.where(y == 0, np.nan, y), y, "none at 0"),
        (y + 0.5, y, "whole numbers"),
        (np.array([0, "b"], dtype=object)[(y > 0).astype(int)], y, "found both"),
    ):
        with pytest.raises(ValueError, match=why):
            tailfit.compare(x, labels, x, test_labels, methods=["lda"])


def test_numbers_in_a_table_of_objects_stay_numbers():
    x, y = data(sizes=(30, 20, 12, 9, 8, 8, 7, 7, 6, 6, 5, 5))
    numbers = y.astype(object)
    found = tailfit.compare(x, numbers, x, numbers, methods=["lda"])
    assert found.class_names is None
    assert found.records == tailfit.compare(x, y, x, y, methods=["lda"]).records
    named = tailfit.compare(x, y, x, y, methods=["lda"], class_names=list("abcdefghijkl"))
    assert json.loads(named.heads["lda"].metadata["class_names"]) == list("abcdefghijkl")


def test_class_vectors_give_a_zero_shot_row():
    x, y = data()
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    vectors = np.stack([x[y == k].mean(axis=0) for k in range(4)])
    result = tailfit.compare(x, y, x, y, class_vectors=vectors)
    assert "balanced-softmax-converged+zero-shot" in result.heads
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (result.heads["zero-shot"].predict(x) == (x @ unit.T).argmax(axis=1)).all()


def test_methods_are_listed():
    methods = tailfit.methods()
    assert len(methods) >= 45 and "Ren et al." in methods["balanced-softmax"]


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_the_method_at_work_and_keeps_what_is_finished(caplog):
    x, y = data(sizes=(4000, 2000, 1000, 500), dim=64)
    sets = (x, y, *data(1, (50, 50, 50, 50), dim=64))
    sent = []

    def interrupt():
        sent.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    class Finished(logging.Handler):
        def emit(self, record):
            if record.getMessage() == "lda: finished":
                threading.Timer(0.1, interrupt).start()

    def begun(_done, _total):
        if not sent:
            sent.append(None)
            threading.Timer(0.1, interrupt).start()

    # While the first is at work there is nothing to keep; while the second is, there is the first.
    with pytest.raises(KeyboardInterrupt):
        tailfit.compare(*sets, methods=["cosine", "lda"], effort="full", progress=begun)
    ended = time.monotonic()
    assert ended - sent.pop() < 1.0
    handler, log = Finished(), logging.getLogger("tailfit")
    log.addHandler(handler)
    try:
        with caplog.at_level(logging.INFO, "tailfit"):
            result = tailfit.compare(*sets, methods=["lda", "cosine"], effort="full")
    finally:
        log.removeHandler(handler)
    assert time.monotonic() - sent.pop() < 1.0
    assert list(result.heads) == ["lda"] and "interrupted: 1 of 2 methods are finished" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_has_threads_of_its_own():
    x, y = data()
    sets = (x, y, *data(1, (30, 30, 30, 30)))
    before = tailfit.compare(*sets, methods=["los"])
    child = os.fork()
    if child == 0:
        after = tailfit.compare(*sets, methods=["los"])
        same = (after.heads["los"].weight == before.heads["los"].weight).all() and str(after) == str(before)
        os._exit(0 if same else 1)
    for _ in range(600):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the fork waits for its parent's threads")


def test_the_programs_warnings_are_said():
    x, y = data()
    x_test, y_test = data(1, (9, 9, 9, 9))
    with pytest.warns(UserWarning, match="test rows also appear in training"):
        tailfit.compare(x, y, x, y, methods=["lda"], seeds=1)
    with pytest.warns(UserWarning, match="validation rows also appear in training"):
        tailfit.compare(x, y, x_test, y_test, x_val=x, y_val=y, methods=["lda"], seeds=1)
    with pytest.raises(ValueError, match="few_below at most many_above"):
        tailfit.compare(x, y, x_test, y_test, methods=["lda"], many_above=20, few_below=100)


def test_missing_labels_of_pandas_are_said():
    pandas = pytest.importorskip("pandas")
    x, y = data()
    x_test, y_test = data(1, (9, 9, 9, 9))
    objects = np.array([np.int64(label) for label in y], dtype=object)
    assert tailfit.compare(x, objects, x_test, y_test, methods=["lda"]).heads
    labels = pandas.Series(y.astype(str), dtype="string")
    labels[1] = None
    with pytest.raises(ValueError, match="found none at 1"):
        tailfit.compare(x, labels, x_test, y_test, methods=["lda"])
