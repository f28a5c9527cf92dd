"""scikit-learn estimators: a linear classifier that is fair to rare classes."""

from __future__ import annotations

import json
import warnings

import numpy as np

from tailfit import _native
from tailfit._arrays import as_groups, handed_over, in_memory, threads
from tailfit._estimator import Linear
from tailfit._head import from_native

__all__ = ["TailClassifier", "TailClassifierCV"]

# Problems up to this size are solved in double precision, to the last digit.
_MOST_UNKNOWNS = 2000
_MOST_PRODUCTS = 1e10

# Methods of SGD that have a minimum of their own, found by a solver.
_CONVERGED = {
    "balanced-softmax": "balanced-softmax-converged",
    "cross-entropy": "cross-entropy-converged",
    "los": "los-converged",
}


class TailClassifier(Linear):
    """A linear classifier in which rare classes count as much as frequent ones.

    Parameters
    ----------
    method : str, default="balanced-softmax"
        A name from ``tailfit.methods()``, or a combination such as ``"los+class-balanced"``. Methods
        that start from a network's last layer train one first.
    solver : {"auto", "lbfgs", "sgd"}, default="auto"
        ``"lbfgs"`` finds the minimum, where there is one; ``"sgd"`` takes the method's own epochs;
        ``"auto"`` the minimum for balanced softmax, cross-entropy and label over-smoothing.
    weight_decay : float, default=1e-3
        Strength of the penalty (weight_decay / 2) ||W||^2 beside the mean loss; scikit-learn's C is
        1 / (n_samples weight_decay). ``None`` leaves it to the method.
    features : {"as-is", "centred", "standardised"}, default="as-is"
        How features are seen in training; folded into the head afterwards.
    class_weight : None, "balanced" or dict, default=None
        Weights of the classes in the loss, beside what the method does itself; they weigh samples, and so
        count in the mean and the deviations of standardised features too.
    target_prior : "uniform", "estimated" or array of shape (n_classes,), default="uniform"
        How frequent classes are where predictions and probabilities are asked for.
    params : dict, default=None
        Further values of the recipe by their dotted paths, such as ``{"loss.delta": 0.95}``.
    tol : float, default=1e-2
        The certified gap (F - min F) / (F - F0) at which a solver stops, F0 being a lower bound of any
        loss; at least 1e-6. Small problems are solved to the last digit all the same.
    n_jobs : int, default=None
        Number of threads, of which results do not depend: all for None or -1.
    random_state : int, RandomState or None, default=None
        Order of batches and random starts; has no effect on solvers.

    Attributes
    ----------
    classes_, coef_, intercept_, n_features_in_ : as for LogisticRegression
    head_ : tailfit.Head
    n_iter_ : int
        Passes over the data of a solver, or epochs.
    gap_ : float
        Certified distance to the minimum, (F - min F) / (F - F0); nan without a solver, and where nothing is
        certified, as without weight decay.
    stop_reason_ : {"gap", "uncertified", "stalled", "epochs", "formula"}
        How training ended: with the gap asked for certified; by a solver where no gap can be certified; by one
        that came no further, of which a warning says more; after its epochs; by a formula.
    class_count_ : ndarray of shape (n_classes,)
    """

    def __init__(
        self,
        method="balanced-softmax",
        *,
        solver="auto",
        weight_decay=1e-3,
        features="as-is",
        class_weight=None,
        target_prior="uniform",
        params=None,
        tol=1e-2,
        n_jobs=None,
        random_state=None,
    ):
        self.method = method
        self.solver = solver
        self.weight_decay = weight_decay
        self.features = features
        self.class_weight = class_weight
        self.target_prior = target_prior
        self.params = params
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        """Fit the head to features X (n_samples, n_features) and classes y."""
        X, classes, sample_weight = self._checked(X, y, sample_weight)
        class_weight = self._class_weights(classes, sample_weight)
        recipe = json.loads(_native.recipe(*self._recipe()))
        solves = recipe.get("solver", "sgd") != "sgd"
        if self.solver == "sgd" and solves:
            raise ValueError(f"solver: expected 'auto' for {self.method!r}, which is solved, found 'sgd'")
        unknowns = len(self.classes_) * (X.shape[1] + 1)
        small = unknowns <= _MOST_UNKNOWNS and unknowns * len(X) <= _MOST_PRODUCTS
        asked = max(recipe.get("gap", 1e-3), 1e-6)
        if solves and small:
            recipe["gap"] = min(recipe.get("gap", 1e-3), 1e-12)
        fitted = _native.fit(
            (handed_over(X), classes),
            json.dumps(recipe),
            sample_weight=sample_weight,
            class_weight=class_weight,
            seed=self._seed(),
            double=solves and small,
            threads=threads(self.n_jobs),
        )
        self.head_ = from_native(fitted)
        self.n_iter_ = fitted["passes"] if solves else max(len(fitted["train_loss"]), 1)
        self.class_count_ = np.asarray(fitted["class_counts"])
        self._set_stop(fitted["gap"], solves, asked, bool(fitted["train_loss"]))
        self._warn_if_stalled(asked, "scale the features, such as by features='standardised', or raise weight_decay or tol")
        return self

    def _recipe(self):
        """The method's name, and the changes to its recipe."""
        if self.solver not in ("auto", "lbfgs", "sgd"):
            raise ValueError(f"solver: expected 'auto', 'lbfgs' or 'sgd', found {self.solver!r}")
        method, *additions = str(self.method).split("+")
        # Samplers are for steps of SGD, only its heads differ by their seeds, and `+converged` solves itself.
        of_sgd = any(added in ("averaged", "converged") or added.endswith("-sampling") for added in additions)
        if self.solver == "auto" and not of_sgd:
            method = _CONVERGED.get(method, method)
        method = "+".join([method, *additions])
        changes = {}
        if self.solver == "lbfgs":
            changes |= {"solver": "lbfgs", "start": "zero", "decay_bias": False}
        if self.weight_decay is not None:
            changes["weight_decay"] = self.weight_decay
        if self.features != "as-is":
            changes["features"] = self.features
        if self.tol is not None:
            changes["gap"] = max(self.tol, 1e-6)
        changes |= self.params or {}
        # Numbers of numpy are numbers too.
        return method, [(path, json.dumps(value, default=_plain)) for path, value in changes.items()]

    def _class_weights(self, classes, sample_weight):
        """The weight of each class in the loss, if any."""
        if self.class_weight is None:
            return None
        if isinstance(self.class_weight, str):
            if self.class_weight != "balanced":
                raise ValueError(
                    f"class_weight: expected None, 'balanced' or a dict, found {self.class_weight!r}"
                )
            count = np.bincount(classes, weights=sample_weight)
            return count.sum() / (len(count) * count)
        unknown = set(self.class_weight) - set(self.classes_.tolist())
        if unknown:
            raise ValueError(f"class_weight: expected classes of y, found {sorted(map(repr, unknown))[0]}")
        return np.array([float(self.class_weight.get(label, 1.0)) for label in self.classes_])


def _plain(value):
    """A number of numpy as one of Python."""
    return value.item()


class TailClassifierCV(Linear):
    """A linear classifier that chooses its method and hyper-parameters by cross-validation.

    Every method's grid is trained on five stratified folds; the one with the highest class mean on the
    samples left out is trained on all of them.

    Parameters
    ----------
    methods : list of str, default=("lda", "lr-balanced", "balanced-softmax-converged")
        What to choose from.
    effort : {"quick", "standard", "thorough", "full"}, default="quick"
        How much of each grid is tried.
    target_prior, n_jobs : as for TailClassifier
    random_state : int, RandomState or None, default=None
        Determines the order of batches and random starts, which methods trained by SGD have. Folds do not
        depend on it, and neither do the methods tried by default.

    Attributes
    ----------
    method_ : str
        The method chosen.
    recipe_ : dict
        Its recipe, with the hyper-parameters chosen.
    scores_ : dict of float
        The best class mean of each method on the samples left out, in percent.
    n_iter_, gap_, stop_reason_ : as for TailClassifier, of the head that is kept
        An average of heads counts as one epoch.
    classes_, coef_, intercept_, head_, n_features_in_ : as for TailClassifier
    """

    def __init__(
        self,
        methods=("lda", "lr-balanced", "balanced-softmax-converged"),
        *,
        effort="quick",
        target_prior="uniform",
        n_jobs=None,
        random_state=None,
    ):
        self.methods = methods
        self.effort = effort
        self.target_prior = target_prior
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        """Choose and fit the head for features X (n_samples, n_features) and classes y.

        ``groups`` says which samples belong together, such as pictures of one patient: folds keep them
        together.
        """
        X, classes, _ = self._checked(X, y, None)
        # Folds are cut in memory.
        X = in_memory(X)
        results, failed = {}, {}

        def finished(name, result):
            (failed if isinstance(result, Exception) else results)[name] = result

        # A sample of each class stands in for a test set, whose scores nobody looks at.
        rows = np.unique(classes, return_index=True)[1]
        _native.compare(
            "data",
            (X, classes),
            (np.ascontiguousarray(X[rows]), classes[rows]),
            None,
            None,
            [self.methods] if isinstance(self.methods, str) else list(self.methods),
            selection="cross-validated",
            effort=self.effort,
            seeds=1,
            first_seed=self._seed() & (2**63 - 1),
            warns=False,
            precision="auto",
            many_above=100,
            few_below=20,
            class_names=None,
            class_vectors=None,
            groups=[as_groups(groups, X, "groups"), None, None],
            threads=threads(self.n_jobs),
            finished=finished,
            progress=None,
        )
        if not results:
            raise next(iter(failed.values()))
        for name, error in failed.items():
            warnings.warn(f"{name} is left out: {error}", stacklevel=2)
        chosen = {name: json.loads(result["head_record"])["heads"][0] for name, result in results.items()}
        self.scores_ = {name: head["validation_percent"] for name, head in chosen.items()}
        self.method_ = max(self.scores_, key=self.scores_.get)
        self.recipe_ = chosen[self.method_]["recipe"]
        best = results[self.method_]
        self.head_ = from_native(best)
        solution = chosen[self.method_].get("solution")
        epochs = chosen[self.method_]["epoch"]
        self.n_iter_ = max(solution["passes"] if solution else epochs, 1)
        asked = self.recipe_.get("gap", 1e-3)
        self._set_stop(solution.get("gap") if solution else None, bool(solution), asked, epochs > 0)
        self._warn_if_stalled(asked, "allow other methods")
        return self
