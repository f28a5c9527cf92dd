use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::numbers::{Real, max_of};

/// Seesaw loss: samples of frequent classes push rare classes down less, unless a rare class is
/// wrongly ahead.
///
/// ```text
/// S_yj = min(1, (nⱼ / n_y)^p) · max(1, (qⱼ / max(q_y, 0.01))^q)        q = softmax(z)
/// z′ⱼ = zⱼ + log S_yj (j ≠ y)        L(z, y) = −log softmax(z′)_y
/// step along softmax(z′) − e_y, with S held constant
/// ```
///
/// p = q = 0 is cross-entropy; at q = 0 the step is the gradient, and the loss convex. The authors count
/// samples as training goes on; on frozen features all counts are known, and used from the start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seesaw {
    /// p, strength of the mitigation; at least 0, default 0.8.
    pub p: f64,
    /// q, strength of the compensation; at least 0, default 2.
    pub q: f64,
}

/// The least probability of the label that the compensation divides by.
const LEAST: f64 = 0.01;

impl Default for Seesaw {
    fn default() -> Self {
        Self { p: 0.8, q: 2.0 }
    }
}

impl Loss for Seesaw {
    const SOFTMAX_FAMILY: bool = false;

    /// `offset` holds p log n.
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let offset = counts.weighted().into_iter().map(|n| self.p * n.ln()).collect();
        PerClass { offset, ..PerClass::neutral(counts.n_classes()) }
    }

    #[inline(always)]
    fn row<R: Real>(&self, c: &PerClass<R>, z: &mut [R], y: usize, factor: R, _: Draw) -> R {
        let log_sum = |z: &[R]| {
            let max = max_of(z).to_f64();
            max + z.iter().map(|v| (v.to_f64() - max).exp()).sum::<f64>().ln()
        };
        // log max(q_y, 0.01), on the scale of the logits.
        let ahead_of = if self.q > 0.0 {
            let total = log_sum(z);
            (z[y].to_f64() - total).max(LEAST.ln()) + total
        } else {
            0.0
        };
        for j in (0..z.len()).filter(|&j| j != y) {
            let mitigation = (c.offset[j] - c.offset[y]).to_f64().min(0.0);
            let compensation =
                if self.q > 0.0 { (self.q * (z[j].to_f64() - ahead_of)).max(0.0) } else { 0.0 };
            z[j] = R::from_f64(z[j].to_f64() + mitigation + compensation);
        }
        let total = log_sum(z);
        let value = total - z[y].to_f64();
        for v in z.iter_mut() {
            *v = (R::from_f64((v.to_f64() - total).exp()) * factor).flushed();
        }
        // 1 − p_y without cancellation.
        z[y] = (R::from_f64((-value).exp_m1()) * factor).flushed();
        R::from_f64(value)
    }

    fn has_no_minimum(&self) -> Option<&'static str> {
        (self.q != 0.0).then_some("its steps hold the compensation factor constant")
    }

    fn source(&self) -> &'static str {
        "Wang et al., CVPR 2021, eq. 4 to 7; the probability's floor of 0.01 is their code's"
    }

    fn formula(&self) -> &'static str {
        "-log softmax(z + log S_y)_y, S_yj = min(1, (n_j / n_y)^p) max(1, (q_j / q_y)^q)"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.p", self.p, 0.0..=1e2, "0 <= p <= 100")?;
        in_range("loss.q", self.q, 0.0..=1e2, "0 <= q <= 100")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AnyLoss, Objective};
    use super::*;

    /// Counts 4 and 1 at p = ½: the rare class counts half against a sample of the frequent one.
    #[test]
    fn a_rare_class_is_pushed_down_less() {
        let counts = ClassCounts::new(vec![4, 1]).unwrap();
        let objective = Objective::plain(AnyLoss::Seesaw(Seesaw { p: 0.5, q: 0.0 }), &counts);
        let mut z = [0.0_f64; 2];
        let value = objective.value_and_grad_f64(&mut z, &[0]);
        assert!((value - 1.5_f64.ln()).abs() < 1e-15 && (z[1] - 1.0 / 3.0).abs() < 1e-15);
        let mut z = [0.0_f64; 2];
        objective.value_and_grad_f64(&mut z, &[1]);
        assert!((z[0] - 0.5).abs() < 1e-15, "but a frequent class as ever");
    }
}
