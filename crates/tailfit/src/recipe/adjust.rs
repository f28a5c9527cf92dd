//! Rules applied to a trained head without further training: weight normalisation and
//! post-hoc logit adjustment. Both fold into W and b.

use ndarray::{Array1, Axis};
use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::head::Head;

/// τ-normalisation: wₖ / ‖wₖ‖^τ. τ = 0 leaves W unchanged; τ = 1 gives every row norm 1
/// (the L2-normalised head).
///
/// Source: Kang et al., ICLR 2020, eq. 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TauNorm {
    /// τ; the authors search 0..=2.
    pub tau: f64,
    /// What happens to the bias.
    #[serde(default)]
    pub bias: BiasRule,
}

/// What happens to the bias under τ-normalisation: published code differs, and so does the
/// accuracy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BiasRule {
    /// Set to 0, as in the authors' code.
    #[default]
    Drop,
    /// Left unchanged, as in LTWB's code.
    Keep,
    /// Divided by the same factor as its row.
    Rescale,
}

impl TauNorm {
    /// Normalises the head. Rows of norm 0 stay 0. A gate, which a recipe refuses beside it, stays as it
    /// is.
    pub fn apply(self, head: &mut Head) {
        let norms = head.weight_norms();
        for (k, mut row) in head.weight.axis_iter_mut(Axis(0)).enumerate() {
            let divisor = if norms[k] > 0.0 { norms[k].powf(self.tau) } else { 1.0 };
            row.mapv_inplace(|w| w / divisor);
            match self.bias {
                BiasRule::Drop => head.bias[k] = 0.0,
                BiasRule::Keep => {}
                BiasRule::Rescale => head.bias[k] /= divisor,
            }
        }
    }
}

/// Post-hoc logit adjustment.
///
/// ```text
/// additive:        z′ₖ = zₖ − τ log πₖ       (Menon et al., ICLR 2021, eq. 9)
/// multiplicative:  z′ₖ = zₖ πₖ^−τ            (Hasegawa & Sato, ICLR 2024, eq. 5)
/// ```
///
/// Additive adjustment changes only the bias, so it does not change the column reading of
/// Logits Magnitude. Google's code subtracts log(π^τ + 1e-12), which moves the rarest class
/// by 1e-12 / π^τ. The multiplicative form pushes negative logits of rare classes further down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustment {
    /// τ; the authors search 0..=3.
    pub tau: f64,
    /// Additive or multiplicative.
    #[serde(default)]
    pub form: AdjustmentForm,
}

/// The form of a [`LogitAdjustment`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdjustmentForm {
    /// Subtracts τ log π.
    #[default]
    Additive,
    /// Multiplies by π^−τ.
    Multiplicative,
}

impl LogitAdjustment {
    /// Adjusts the head.
    pub fn apply(self, head: &mut Head, counts: &ClassCounts) {
        let frequencies = Array1::from(counts.frequencies());
        match self.form {
            AdjustmentForm::Additive => {
                head.shift_logits(&frequencies.mapv(|f| -self.tau * f.ln()));
            }
            AdjustmentForm::Multiplicative => {
                head.scale_logits(&frequencies.mapv(|f| f.powf(-self.tau)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn head() -> Head {
        Head::linear(array![[3.0, 4.0], [0.0, 1.0]], array![1.0, 2.0])
    }

    #[test]
    fn tau_one_gives_rows_of_norm_one_and_three_kinds_of_bias() {
        for (bias, expected) in [
            (BiasRule::Drop, [0.0, 0.0]),
            (BiasRule::Keep, [1.0, 2.0]),
            (BiasRule::Rescale, [0.2, 2.0]),
        ] {
            let mut normalised = head();
            TauNorm { tau: 1.0, bias }.apply(&mut normalised);
            assert_eq!(normalised.weight, array![[0.6, 0.8], [0.0, 1.0]]);
            assert_eq!(normalised.bias.to_vec(), expected);
        }
        let mut same = head();
        TauNorm { tau: 0.0, bias: BiasRule::Keep }.apply(&mut same);
        assert_eq!(same, head());
    }

    #[test]
    fn equal_counts_adjust_nothing_but_a_constant() {
        let counts = ClassCounts::new(vec![4, 4]).unwrap();
        let mut adjusted = head();
        LogitAdjustment { tau: 1.0, form: AdjustmentForm::Additive }.apply(&mut adjusted, &counts);
        assert_eq!(adjusted.bias[1] - adjusted.bias[0], 1.0);
        let mut adjusted = head();
        let form = AdjustmentForm::Multiplicative;
        LogitAdjustment { tau: 1.0, form }.apply(&mut adjusted, &counts);
        assert_eq!(adjusted.weight, head().weight * 2.0);
    }
}
