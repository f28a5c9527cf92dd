//! Methods without a course of training: class means, and minima in closed form or by a solver.

use super::catalogue::{COST, PLAIN, SGD, UNTRAINED, method};
use super::{Method, Values};
use crate::head::{HeadKind, Start};
use crate::losses::{AnyLoss, BalancedSoftmax, ClassWeights, Mean};
use crate::recipe::{Conditioning, Cost, Recipe, RidgeBias, Sgd, Solver};

pub(super) const PATH: Values =
    ("weight_decay", &[0.3, 0.1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5]);
const SHRINKAGES: Values = (
    "features.whitened.shrinkage",
    &[
        1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5,
        0.6, 0.7, 0.85, 1.0,
    ],
);
/// The minimum itself, from nothing, with the bias free.
pub(super) const CONVERGED: Recipe = Recipe {
    solver: Solver::Lbfgs,
    start: Start::Zero,
    decay_bias: false,
    sgd: Sgd { weight_decay: 1e-3, ..SGD },
    ..PLAIN
};
pub(super) const CLASS_MEANS: Recipe = Recipe { start: Start::ClassMeans, ..UNTRAINED };
const INVERSE: ClassWeights = ClassWeights::Power { rho: 1.0 };

/// The class whose vector is nearest by cosine. It needs class vectors, so it is not among those that
/// every data set gets.
pub(super) fn zero_shot() -> Method {
    method(
        "zero-shot",
        "the class whose vector, as of a text encoder, is nearest by cosine: CLIP of Radford et al., ICML 2021",
        Recipe { head: HeadKind::Cosine { scale: 100.0 }, start: Start::ClassVectors, ..UNTRAINED },
        &[],
    )
}

pub(super) fn all() -> Vec<Method> {
    vec![
        method(
            "nearest-class-mean",
            "the class whose training features have the nearest mean",
            CLASS_MEANS,
            &[],
        ),
        method(
            "nearest-class-mean-cosine",
            "the same by cosine, with means of features of norm 1",
            Recipe { head: HeadKind::Cosine { scale: 16.0 }, ..CLASS_MEANS },
            &[],
        ),
        method(
            "lda",
            "linear discriminant analysis with equal priors and a shrunk covariance: GDA of Wang et al., ICLR 2024 (with \
             equal priors)",
            Recipe { features: Conditioning::Whitened { shrinkage: 0.1 }, ..CLASS_MEANS },
            &[SHRINKAGES],
        ),
        method(
            "lr-balanced",
            "scikit-learn's LogisticRegression(class_weight=\"balanced\"), to the optimum; C is 1 / (N weight_decay)",
            Recipe {
                cost: Cost { class_weights: INVERSE, mean: Mean::ByWeight, ..COST },
                ..CONVERGED
            },
            &[PATH],
        )
        .with_conditioning(),
        method(
            "balanced-softmax-converged",
            "Ren et al., NeurIPS 2020, to the optimum",
            Recipe {
                cost: Cost { loss: AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 }), ..COST },
                ..CONVERGED
            },
            &[PATH],
        )
        .with_conditioning(),
        method(
            "ridge",
            "least squares onto one-hot labels, with the bias for which every class counts once: what label \
             over-smoothing becomes as delta goes to 1",
            Recipe { solver: Solver::Ridge, ridge_bias: RidgeBias::Balanced, ..CONVERGED },
            &[PATH],
        )
        .with_conditioning(),
    ]
}
