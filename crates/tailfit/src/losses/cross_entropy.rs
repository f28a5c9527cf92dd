use serde::{Deserialize, Serialize};

use super::Loss;

/// Cross-entropy on softmax (CE).
///
/// ```text
/// L(z, y) = log Σₖ exp(zₖ) − z_y        ∂L/∂z = softmax(z) − e_y
/// ```
///
/// Convex in a linear head. With weight decay 0 and separable features it has no minimiser:
/// the weights keep growing and drift towards the largest margin.
///
/// The class-balanced softmax loss (Cui et al., CVPR 2019) is this loss with
/// effective-number class weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {}

impl Loss for CrossEntropy {
    fn source(&self) -> &'static str {
        "Sun et al., ICLR 2025, eq. 1 with r_w = 1"
    }

    fn formula(&self) -> &'static str {
        "log sum_k exp(z_k) - z_y"
    }
}
