use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass};
use crate::numbers::Real;

/// Dot regression onto a fixed simplex (ETF), written on logits.
///
/// ```text
/// h = A f        mₖ: vertices of a regular simplex, ‖mₖ‖ = 1        c = cos(h, m_y)
/// L = ½ (1 − c)²
/// in logits zₖ = mₖ·h, with z̄ their mean:   c = √(K / (K − 1)) (z_y − z̄) / ‖z − z̄‖
/// ```
///
/// A fixed head has nothing to re-train on frozen features; what is left is the linear map A before
/// it. W = M A then is an ordinary head with the same predictions, and since M is an isometry, weight
/// decay on W is weight decay on A: the simplex itself is never needed, nor K ≤ D. The loss does not see
/// the size of the logits. It pulls only, and uses no class counts; at z = z̄, where there is no
/// direction, the gradient is taken as 0. The authors also train the network's last normalisation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DotRegression {}

impl Loss for DotRegression {
    const SOFTMAX_FAMILY: bool = false;

    #[inline(always)]
    fn row<R: Real>(&self, _: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        let classes = z.len() as f64;
        let mean = z.iter().map(|v| v.to_f64()).sum::<f64>() / classes;
        let norm = z.iter().map(|v| (v.to_f64() - mean).powi(2)).sum::<f64>().sqrt();
        let unit = (classes / (classes - 1.0)).sqrt();
        if norm == 0.0 {
            z.fill(R::ZERO);
            return R::from_f64(0.5);
        }
        let label = (z[y].to_f64() - mean) / norm;
        let missing = 1.0 - unit * label;
        // dc/dzⱼ = √(K / (K − 1)) ([j = y] − 1/K − label (zⱼ − z̄) / ‖z − z̄‖) / ‖z − z̄‖
        let step = -missing * unit / norm * factor.to_f64();
        for (j, v) in z.iter_mut().enumerate() {
            let along = (v.to_f64() - mean) / norm;
            let target = if j == y { 1.0 } else { 0.0 };
            *v = R::from_f64(step * (target - 1.0 / classes - label * along)).flushed();
        }
        R::from_f64(0.5 * missing * missing)
    }

    fn source(&self) -> &'static str {
        "Yang et al., NeurIPS 2022, eq. 9, with the features frozen and a linear map before the simplex"
    }

    fn formula(&self) -> &'static str {
        "(1 - c)^2 / 2, c = sqrt(K / (K - 1)) (z_y - mean z) / norm(z - mean z)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::class_counts::ClassCounts;
    use crate::losses::{AnyLoss, Objective};

    /// A sample on its vertex costs nothing; one on the opposite of two vertices costs ½ · 2².
    #[test]
    fn vertices() {
        let counts = ClassCounts::new(vec![3, 3]).unwrap();
        let objective = Objective::plain(AnyLoss::DotRegression(DotRegression {}), &counts);
        let mut z = [2.0_f64, 0.0];
        assert!(objective.value_and_grad_f64(&mut z, &[0]).abs() < 1e-15);
        let mut z = [2.0_f64, 0.0];
        assert!((objective.value_and_grad_f64(&mut z, &[1]) - 2.0).abs() < 1e-15);
    }
}
