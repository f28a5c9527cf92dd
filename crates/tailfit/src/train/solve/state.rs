//! What is known of a point of the search.

use faer::Mat;

use super::curvature::Point;
use super::lbfgs::Descent;
use crate::train::PassTimes;

/// Sums over the samples of something with one row per feature, `[D, K]`, and one for the bias,
/// `[K]`.
#[derive(Clone)]
pub(super) struct WithBias {
    pub(super) weight: Point,
    pub(super) bias: Vec<f64>,
}

/// What comes out of a pass.
pub(super) struct Evaluated {
    /// Σ w L of plain cross-entropy with the offset, at logits less the margins.
    pub(super) value: f64,
    /// Its gradient with respect to the scaled weights, `[D, K]`.
    pub(super) grad: Point,
    /// The best bias of the scaled logits, `[K]`.
    pub(super) bias: Vec<f64>,
    /// Σ w p, `[K]`.
    pub(super) shares: Vec<f64>,
    /// Σ w p (1 − p), `[K]`.
    pub(super) curvature: Vec<f64>,
    /// Σ w (−p log p), `[K]`.
    pub(super) entropies: Vec<f64>,
    pub(super) times: PassTimes,
}

/// Everything that is known of a point.
#[derive(Clone)]
pub(super) struct State {
    pub(super) descent: Descent,
    /// The bias that is best at the point.
    pub(super) bias: Vec<f64>,
    /// Σ w (H(p) − p_y margin_y) of the outputs p there, and Σ w p x̃ᵀ times the scales.
    pub(super) entropy: f64,
    /// Its parts by class, `[K]`.
    pub(super) entropies: Vec<f64>,
    pub(super) outputs: WithBias,
    /// Σ w p (1 − p), `[K]`.
    pub(super) curvature: Vec<f64>,
}

/// A weight decay that later ones start from.
#[derive(Clone)]
pub(super) struct Rung {
    pub(super) state: State,
    /// NaN before the first.
    pub(super) weight_decay: f64,
    /// Passes up to there.
    pub(super) passes: usize,
}

impl State {
    /// Bytes of its points, with a full history.
    pub(super) fn size_of(d: usize, k: usize) -> usize {
        (Descent::POINTS + 1) * d * k * size_of::<f64>()
    }

    /// Zero, of which nothing is known yet.
    pub(super) fn zero(d: usize, k: usize) -> Self {
        let zero: Point = Mat::zeros(d, k);
        Self {
            descent: Descent::new(zero.clone(), f64::INFINITY, zero.clone()),
            bias: vec![0.0; k],
            entropy: 0.0,
            entropies: vec![0.0; k],
            outputs: WithBias { weight: zero, bias: vec![0.0; k] },
            curvature: vec![0.0; k],
        }
    }
}
