//! How a recipe's objective is minimised.

use serde::{Deserialize, Serialize};

/// The algorithm that trains the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Solver {
    /// The paper's way: mini-batches, momentum and a schedule. Where it ends is part of the method.
    #[default]
    Sgd,
    /// The minimum itself, to within a certified gap, for losses of the softmax family: cross-entropy with
    /// scales, offsets, margins or smoothed labels. Weight decays are followed down from large to small.
    ///
    /// ```text
    /// F(W, b) = Σᵢ wᵢ L(W xᵢ + b, yᵢ) / N + weight_decay / 2 (‖W‖² [+ ‖b‖² with decay_bias])
    /// ```
    Lbfgs,
    /// Least squares onto one-hot labels, in closed form; the loss must be left at its default.
    ///
    /// ```text
    /// Σᵢ wᵢ ‖W xᵢ + b − e_{yᵢ}‖² / (2 Σᵢ wᵢ) + weight_decay / 2 ‖W‖²
    /// ```
    ///
    /// As δ → 1, label over-smoothing with weight decay λ becomes ridge regression with weight
    /// decay K λ, up to the scale of W and a common shift.
    Ridge,
}

/// Bias of a [`Solver::Ridge`] head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RidgeBias {
    /// Fitted jointly with the weights, using the samples' weights.
    #[default]
    Fitted,
    /// Chosen so that the mean output over the class means is 1 / K for every class: each class
    /// counts once, whatever its number of samples.
    Balanced,
}
