"""What the estimators share."""

from __future__ import annotations

import numbers
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from tailfit._head import adjusted, estimated_prior, pair, probabilities

# Types that features keep; others become the first.
_TYPES = [np.float32, np.float16]


def _weights(sample_weight, X) -> np.ndarray:
    """The weight of each sample; one number is that of all."""
    if isinstance(sample_weight, numbers.Number):
        sample_weight = np.full(len(X), sample_weight)
    weights = check_array(sample_weight, dtype=np.float64, ensure_2d=False, input_name="sample_weight")
    if weights.ndim != 1:
        raise ValueError(f"sample_weight: expected one number for each sample, found shape {weights.shape}")
    check_consistent_length(weights, X)
    if (weights < 0).any():
        raise ValueError("sample_weight: expected numbers of at least 0")
    if not weights.any():
        raise ValueError("sample_weight: expected a weight above zero, found none")
    return weights


class Linear(ClassifierMixin, BaseEstimator):
    """What both estimators share: a fitted head."""

    def decision_function(self, X):
        """Logits of shape (n_samples, n_classes), for the estimator's target prior; for two classes the
        second's minus the first's."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X):
        """The most probable class of each sample."""
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X, target_prior=None):
        """Probabilities of shape (n_samples, n_classes).

        ``target_prior`` says how frequent classes are among these samples: ``"uniform"``,
        ``"estimated"`` from the samples, or an array in the order of ``classes_``; the estimator's own
        if not given.
        """
        prior = self.target_prior if target_prior is None else target_prior
        return probabilities(self._logits(X, "uniform"), prior)

    def estimate_prior(self, X, held_out=None):
        """How frequent each of ``classes_`` is among unlabelled samples, to be given as ``target_prior``.

        Without ``held_out``, the frequencies under which the probabilities of ``X`` are most likely
        (MLLS). With ``held_out=(X, y)``, labelled samples that this was not fitted to, those behind its
        predictions, given its confusions there (BBSE), whatever its probabilities are worth.
        """
        check_is_fitted(self)
        if held_out is None:
            return estimated_prior(self._logits(X, "uniform"))
        given, y = pair(held_out)
        y = column_or_1d(y)
        check_consistent_length(given, y)
        places = {name: place for place, name in enumerate(self.classes_.tolist())}
        unknown = [name for name in y.tolist() if name not in places]
        if unknown:
            raise ValueError(f"held_out: expected samples of classes_, found {unknown[0]!r}")
        labels = np.array([places[name] for name in y.tolist()], dtype=np.uint32)
        of_given = self._logits(given, "uniform")
        return estimated_prior(self._logits(X, "uniform"), of_given, labels, self.classes_.tolist())

    def predict_log_proba(self, X):
        """The logarithms of ``predict_proba``."""
        logits = self._logits(X)
        logits = logits - logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    @property
    def coef_(self):
        """Weights of shape (n_classes, n_features); for two classes one row, the second minus the first."""
        weight = self._linear("coef_").weight
        return weight[1:] - weight[:1] if len(self.classes_) == 2 else weight

    @property
    def intercept_(self):
        """Biases, in the shape of ``coef_``."""
        bias = self._linear("intercept_").bias
        return bias[1:] - bias[:1] if len(self.classes_) == 2 else bias

    def _linear(self, attribute):
        check_is_fitted(self)
        if not self.head_.is_linear:
            method = getattr(self, "method_", None) or self.method
            raise AttributeError(f"{attribute}: {method!r} is no linear function of X; see head_")
        return self.head_

    @property
    def sparsify(self):
        """Not supported: the weights are dense, and no penalty makes them sparse."""
        raise AttributeError("sparsify: the weights of this classifier are dense; no penalty makes them sparse")

    def _logits(self, X, prior=None):
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_TYPES, reset=False)
        return adjusted(self.head_.logits(X), self.target_prior if prior is None else prior)

    def _checked(self, X, y, sample_weight):
        """Features, class numbers and weights, without samples of no weight."""
        X, y = validate_data(self, X, y, dtype=_TYPES, order="C")
        check_classification_targets(y)
        if sample_weight is not None:
            sample_weight = _weights(sample_weight, X)
            kept = sample_weight > 0
            if not kept.all():
                X, y, sample_weight = X[kept], y[kept], sample_weight[kept]
        self.classes_, classes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: expected at least two classes, found {len(self.classes_)} class")
        return X, classes.astype(np.uint32), sample_weight

    def _set_stop(self, gap, solves, asked, has_epochs):
        """How training ended: `gap_` and `stop_reason_`."""
        self.gap_ = float("nan") if gap is None else gap
        self.stop_reason_ = "epochs" if has_epochs else "formula"
        if solves:
            self.stop_reason_ = "uncertified" if gap is None else "stalled" if gap > asked else "gap"

    def _warn_if_stalled(self, asked, remedy):
        if self.stop_reason_ == "stalled":
            warnings.warn(
                f"the solver stopped at a gap of {self.gap_:.1e}, short of tol={asked:g}; {remedy}",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _seed(self):
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state) & (2**64 - 1)
        return int(check_random_state(self.random_state).randint(2**31 - 1))
