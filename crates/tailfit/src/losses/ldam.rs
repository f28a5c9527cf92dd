use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Label-distribution-aware margin loss (LDAM).
///
/// ```text
/// mₖ = max_margin (n_min / nₖ)^¼
/// L(z, y) = −log softmax(z − scale m_y e_y)_y        ∂L/∂z = softmax(…) − e_y
/// ```
///
/// The logits come in already multiplied by the head's scale: s cos(w, f) with
/// s = `scale` for the cosine head of the paper's code, W f + b with `scale` = 1 for
/// the linear form in Sun et al.'s Table 1 (which omits s and does not define C).
/// The margin is in units of the unscaled logit. There is no margin at test time.
/// `max_margin` = 0 is cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ldam {
    /// Margin of the rarest class; at least 0, default 0.5.
    pub max_margin: f64,
    /// s, the factor by which the head has multiplied its cosines; above 0, default 30.
    pub scale: f64,
}

impl Default for Ldam {
    fn default() -> Self {
        Self { max_margin: 0.5, scale: 30.0 }
    }
}

impl Loss for Ldam {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let counted = counts.weighted();
        let rarest = counted.iter().copied().fold(f64::INFINITY, f64::min);
        let margin = counted
            .iter()
            .map(|n| self.scale * self.max_margin * (rarest / n).sqrt().sqrt())
            .collect();
        PerClass { margin, ..PerClass::neutral(counts.n_classes()) }
    }

    fn source(&self) -> &'static str {
        "Cao et al., NeurIPS 2019, eq. 11 and 13"
    }

    fn formula(&self) -> &'static str {
        "-log softmax(z - s m_y e_y)_y, m_k = max_margin (n_min / n_k)^(1/4)"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.max_margin", self.max_margin, 0.0..=1e3, "0 <= max_margin <= 1000")?;
        in_range("loss.scale", self.scale, f64::MIN_POSITIVE..=1e3, "0 < scale <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_times_the_samples_is_half_the_margin() {
        let counts = ClassCounts::new(vec![80, 5]).unwrap();
        let margin = Ldam { max_margin: 0.5, scale: 2.0 }.per_class(&counts).margin;
        assert!((margin[0] - 0.5).abs() < 1e-15 && (margin[1] - 1.0).abs() < 1e-15);
    }
}
