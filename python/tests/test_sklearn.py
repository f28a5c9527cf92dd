"""The estimators keep scikit-learn's contract."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from tailfit.sklearn import TailClassifier, TailClassifierCV


def rare(n=2000, seed=0):
    """Two thousand samples of four classes, 80 % of them of one, and a balanced test set."""
    kwargs = dict(n_features=12, n_informative=8, n_classes=4, n_clusters_per_class=1, class_sep=0.8)
    x, y = make_classification(n * 4, weights=[0.25] * 4, random_state=seed, **kwargs)
    rng = np.random.default_rng(seed)
    kept = np.concatenate(
        [rng.permutation(np.flatnonzero(y[: n * 2] == k))[:m] for k, m in enumerate([800, 120, 30, 8])]
    )
    names = np.array(["ant", "bee", "cat", "dog"])
    return x[kept], names[y[kept]], x[n * 2 :], names[y[n * 2 :]]


@pytest.mark.parametrize("estimator", [TailClassifier(), TailClassifierCV()], ids=type)
def test_every_check_of_scikit_learn_passes(estimator):
    results = check_estimator(estimator, on_fail=None)
    failed = [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in results) > 40


def test_rare_classes_are_found():
    x, y, x_test, y_test = rare()
    plain = LogisticRegression(max_iter=1000).fit(x, y)
    fair = TailClassifier().fit(x, y)
    chosen = TailClassifierCV().fit(x, y)
    grouped = TailClassifierCV().fit(np.repeat(x, 3, axis=0), np.repeat(y, 3), groups=np.arange(3 * len(y)) // 3)
    alone = TailClassifierCV().fit(np.repeat(x, 3, axis=0), np.repeat(y, 3))
    assert max(grouped.scores_.values()) < max(alone.scores_.values()), "a copy is in another fold"
    score = lambda model: balanced_accuracy_score(y_test, model.predict(x_test))
    assert score(fair) > score(plain) + 0.03
    assert score(chosen) > score(plain) + 0.03
    assert set(chosen.scores_) == {"lda", "lr-balanced", "balanced-softmax-converged"}
    assert list(fair.classes_) == ["ant", "bee", "cat", "dog"]
    assert list(fair.class_count_) == [800, 120, 30, 8]


def test_cross_entropy_is_scikit_learns_logistic_regression():
    x, y, _, _ = rare()
    decay = 1e-3
    theirs = LogisticRegression(C=1 / (len(x) * decay), tol=1e-10, max_iter=5000).fit(x.astype("f4").astype("f8"), y)
    ours = TailClassifier("cross-entropy", weight_decay=decay).fit(x, y)
    scale = np.abs(theirs.coef_).max()
    assert np.abs(ours.coef_ - theirs.coef_).max() < 1e-5 * scale
    assert ours.gap_ < 1e-9
    balanced = LogisticRegression(C=1 / (len(x) * decay), tol=1e-10, max_iter=5000, class_weight="balanced")
    balanced.fit(x.astype("f4").astype("f8"), y)
    ours = TailClassifier("lr-balanced", weight_decay=decay).fit(x, y)
    assert np.abs(ours.coef_ - balanced.coef_).max() < 1e-5 * np.abs(balanced.coef_).max()
    ours = TailClassifier("cross-entropy", weight_decay=decay, class_weight="balanced").fit(x, y)
    assert np.abs(ours.coef_ - balanced.coef_).max() < 1e-5 * np.abs(balanced.coef_).max()


def test_it_goes_where_estimators_go():
    x, y, x_test, _ = rare()
    pipeline = make_pipeline(StandardScaler(), TailClassifier())
    grid = GridSearchCV(pipeline, {"tailclassifier__weight_decay": [1e-4, 1e-2]}, cv=2).fit(x, y)
    assert grid.best_params_["tailclassifier__weight_decay"] in (1e-4, 1e-2)
    assert len(cross_val_score(TailClassifier(), x, y, cv=2)) == 2
    calibrated = CalibratedClassifierCV(TailClassifier(), cv=2).fit(x, y)
    assert calibrated.predict_proba(x_test).shape == (len(x_test), 4)
    again = pickle.loads(pickle.dumps(TailClassifier().fit(x, y)))
    assert (again.predict(x_test) == TailClassifier().fit(x, y).predict(x_test)).all()
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(x, columns=[f"f{i}" for i in range(x.shape[1])])
    fitted = TailClassifier().fit(frame, y)
    assert list(fitted.feature_names_in_) == list(frame.columns)


@pytest.mark.parametrize("method", ["los", "tau-norm", "crt", "lda", "gaussian-cloud", "los+class-balanced"])
def test_every_kind_of_method_fits(method):
    x, y, x_test, y_test = rare()
    model = TailClassifier(method, solver="sgd", weight_decay=None, random_state=1).fit(x, y)
    assert balanced_accuracy_score(y_test, model.predict(x_test)) > 0.4
    assert np.allclose(model.predict_proba(x_test).sum(axis=1), 1)


@pytest.mark.parametrize("method", ["balanced-softmax+averaged", "lr-balanced+with-stage-1", "lda+with-los"])
def test_averages_fit(method):
    x, y, x_test, y_test = rare()
    model = TailClassifier(method).fit(x, y)
    assert balanced_accuracy_score(y_test, model.predict(x_test)) > 0.4


def test_classes_absent_from_a_fold():
    x, y, _, _ = rare()
    y = y.astype(object)
    y[:1] = "seen once"
    with pytest.warns(UserWarning, match="least populated class"):
        scores = cross_val_score(TailClassifier(), x, y, cv=5, scoring="accuracy")
    assert (scores > 0.5).all()


def test_weights_of_samples_are_checked():
    x, y, _, _ = rare()
    wanted = TailClassifier().fit(x, y).coef_
    assert np.allclose(TailClassifier().fit(x, y, sample_weight=2.0).coef_, wanted, atol=1e-8)
    for wrong in (np.ones(len(x) - 1), np.ones((len(x), 1)), -np.ones(len(x)), np.zeros(len(x)), np.full(len(x), np.nan)):
        with pytest.raises(ValueError, match=r"sample_weight|inconsistent numbers of samples"):
            TailClassifier().fit(x, y, sample_weight=wrong)


def test_why_training_ended():
    x, y, _, _ = rare()
    for arguments, reason in [
        ({}, "gap"),
        ({"method": "ridge"}, "gap"),
        ({"weight_decay": 0.0}, "uncertified"),
        ({"solver": "sgd"}, "epochs"),
        ({"method": "lda"}, "formula"),
        ({"method": "los", "solver": "sgd", "params": {"epochs": 1}}, "epochs"),
    ]:
        model = TailClassifier(**arguments).fit(x, y)
        assert (model.stop_reason_, np.isnan(model.gap_)) == (reason, reason != "gap"), arguments
    with pytest.warns(ConvergenceWarning, match="short of tol"):
        far = 1e4 * np.random.default_rng(0).standard_normal((200, 1500), dtype=np.float32)
        model = TailClassifier("cross-entropy", tol=1e-6).fit(far, np.arange(200) % 2)
    assert model.stop_reason_ == "stalled"


def test_solvers_and_settings_as_documented():
    x, y, x_test, _ = rare()
    auto = TailClassifier("cross-entropy", weight_decay=np.float32(1e-2), tol=1e-6).fit(x, y)
    asked = TailClassifier("cross-entropy", solver="lbfgs", weight_decay=1e-2, tol=1e-6).fit(x, y)
    assert np.allclose(auto.predict_proba(x_test), asked.predict_proba(x_test), atol=1e-4)
    # A sampler is for steps.
    sampled = TailClassifier("cross-entropy+class-balanced-sampling", params={"epochs": np.int64(2)}).fit(x, y)
    assert sampled.n_iter_ == 2
    # What has no name of its own is solved by an addition.
    solved = TailClassifier("logit-adjusted+converged").fit(x, y)
    assert solved.stop_reason_ == "gap" and solved.gap_ <= 1e-2
    for method, reason in [("lda", "formula"), ("lr-balanced", "gap"), ("balanced-softmax", "epochs")]:
        model = TailClassifierCV(methods=method).fit(x, y)
        assert (model.method_, model.stop_reason_, np.isnan(model.gap_)) == (method, reason, reason != "gap")
        assert model.n_iter_ >= 1


def test_priors_through_confusions():
    x, y, x_test, y_test = rare()
    model = TailClassifier().fit(x, y)
    held_out = (x_test[::2], y_test[::2])
    rest, of_rest = x_test[1::2], y_test[1::2]
    known = np.array([0.7, 0.2, 0.08, 0.02])
    size = min((of_rest == name).sum() for name in model.classes_)
    shares = zip(model.classes_, known / known.max(), strict=True)
    rows = np.concatenate([np.flatnonzero(of_rest == name)[: round(size * part)] for name, part in shares])
    counts = np.unique(of_rest[rows], return_counts=True)[1]
    prior = model.estimate_prior(rest[rows], held_out=held_out)
    # By what the matrix of confusions gives, which is nowhere negative here.
    confusion = np.array([[(model.predict(held_out[0][held_out[1] == a]) == b).mean() for a in model.classes_] for b in model.classes_])
    predicted = np.array([(model.predict(rest[rows]) == name).mean() for name in model.classes_])
    exact = np.linalg.solve(confusion, predicted)
    if (exact >= 0).all():
        assert np.allclose(prior, exact, atol=1e-5), (prior, exact)
    assert np.abs(prior - counts / len(rows)).max() < 0.08 and prior[0] > 0.6, prior
    # The head by itself goes by numbers.
    numbers = np.searchsorted(model.classes_, held_out[1])
    assert np.allclose(model.head_.estimate_prior(rest[rows], (held_out[0], numbers)), prior)
    for wrong, why in (
        ((x_test[:1], ["wasp"]), "wasp"),
        ((x_test, y_test[:-1]), "inconsistent"),
        (x_test, "a pair"),
        ((x_test[y_test != "bee"], y_test[y_test != "bee"]), "none of 1: 'bee'"),
    ):
        with pytest.raises(ValueError, match=why):
            model.estimate_prior(rest, held_out=wrong)
    with pytest.raises(ValueError, match="held_out: expected classes from 0 to 3"):
        model.head_.estimate_prior(rest, (rest[:1], [4]))


def test_target_priors_and_mistakes():
    x, y, x_test, y_test = rare()
    model = TailClassifier().fit(x, y)
    given = model.predict_proba(x_test, target_prior=[1, 0, 0, 0])
    assert np.allclose(given[:, 0], 1)
    skewed = TailClassifier(target_prior=[0.97, 0.01, 0.01, 0.01], tol=None).fit(x, y)
    wanted = skewed.classes_[skewed.predict_proba(x_test).argmax(axis=1)]
    assert (skewed.predict(x_test) == wanted).all()
    assert (skewed.predict(x_test) == "ant").sum() > (model.predict(x_test) == "ant").sum()
    assert np.allclose(np.exp(skewed.predict_log_proba(x_test)), skewed.predict_proba(x_test))
    mostly = x_test[y_test == "ant"]
    plain, estimated = model.predict_proba(mostly), model.predict_proba(mostly, target_prior="estimated")
    assert estimated[:, 0].mean() > plain[:, 0].mean()
    assert np.allclose(model.predict_proba(mostly, target_prior=model.estimate_prior(mostly)), estimated)
    for wrong in (
        dict(method="balanced-sofmax"),
        dict(solver="newton"),
        dict(class_weight="balance"),
        dict(params={"loss.delta": 2}),
        dict(weight_decay=-1.0),
        dict(class_weight={"ant": 0}),
        dict(class_weight={0: 1.0}),
        dict(method="lr-balanced", solver="sgd"),
    ):
        with pytest.raises(ValueError):
            TailClassifier(**wrong).fit(x, y)
    with pytest.raises(ValueError, match="target_prior"):
        model.predict_proba(x_test, target_prior=[1, 2])
    with pytest.raises(AttributeError, match="dense"):
        model.sparsify()


def test_a_method_that_fails_is_said():
    x, y = make_classification(200, 6, n_informative=4, n_classes=3, random_state=0)
    with pytest.warns(UserWarning, match="zero-shot is left out: .*a vector for each class"):
        model = TailClassifierCV(methods=["lda", "zero-shot"], random_state=1).fit(x, y)
    assert set(model.scores_) == {"lda"}
