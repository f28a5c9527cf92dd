//! Class weights in the loss, and what a weighted batch is divided by.

use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};

/// The weight w_y of a sample of class y in the loss. Always Σₖ wₖ = K, so equal class
/// counts give weights of 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ClassWeights {
    /// All weights are 1.
    #[default]
    Uniform,
    /// wₖ ∝ (1 − β) / (1 − β^nₖ), the inverse effective number of samples.
    /// β = 0 gives 1; β → 1 gives 1/n up to scale.
    /// Source: Cui et al., CVPR 2019, eq. 1 (the seed paper's Table 1 prints the
    /// exponent as y; it is n_y).
    EffectiveNumber {
        /// β, 0 ≤ β < 1.
        beta: f64,
    },
    /// wₖ ∝ πₖ^−ρ: inverse frequency at ρ = 1, generalised re-weighting (GRW) at
    /// ρ = 1.2 (Zhang et al., CVPR 2021, eq. 9).
    Power {
        /// ρ; 0 gives 1.
        rho: f64,
    },
    /// wₖ ∝ 1 / Aₖ, the effective area of the class's training features: in batches of
    /// `batch_size`, m² / Σᵢⱼ cos(fᵢ − μₖ, fⱼ − μₖ) over the m samples of the class, added up. Correlated
    /// samples count less. The authors find it anew before each epoch, on augmented images; on frozen
    /// features it is found once, and is at most nₖ, which theirs can exceed.
    /// Source: Chen et al., ICCV 2023, eq. 6 and 9 (AREA). Only for heads trained by SGD.
    EffectiveArea,
}

impl ClassWeights {
    /// The weights, `[K]`.
    ///
    /// # Panics
    ///
    /// For [`ClassWeights::EffectiveArea`], which needs features.
    pub fn weights(self, counts: &ClassCounts) -> Vec<f64> {
        let raw: Vec<f64> = match self {
            Self::Uniform => return vec![1.0; counts.n_classes()],
            Self::EffectiveNumber { beta } => {
                counts.weighted().into_iter().map(|n| (1.0 - beta) / (1.0 - beta.powf(n))).collect()
            }
            Self::EffectiveArea => unreachable!("areas come from the features"),
            Self::Power { rho } => counts.frequencies().iter().map(|p| p.powf(-rho)).collect(),
        };
        let factor = raw.len() as f64 / raw.iter().sum::<f64>();
        raw.into_iter().map(|w| w * factor).collect()
    }

    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If β is not in [0, 1) or ρ is not finite.
    pub fn check(self) -> Result<()> {
        match self {
            Self::EffectiveNumber { beta } if !(0.0..1.0).contains(&beta) => {
                Err(Error::usage("class_weights.beta", "0 <= beta < 1", beta, ""))
            }
            Self::Power { rho } if !rho.is_finite() => {
                Err(Error::usage("class_weights.rho", "a finite number", rho, ""))
            }
            _ => Ok(()),
        }
    }
}

/// What the weighted sum over a batch is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mean {
    /// The number of samples, as in Cui et al.'s own code.
    #[default]
    ByBatch,
    /// The sum of the samples' weights, as in PyTorch's `cross_entropy(weight=w)`. At
    /// imbalance ratio 100 this makes steps about 5 times longer than [`Mean::ByBatch`].
    ByWeight,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beta_near_one_is_inverse_frequency_and_zero_is_uniform() {
        let counts = ClassCounts::new(vec![90, 9, 1]).unwrap();
        let weights = |w: ClassWeights| w.weights(&counts);
        let inverse = weights(ClassWeights::Power { rho: 1.0 });
        let near = weights(ClassWeights::EffectiveNumber { beta: 1.0 - 1e-9 });
        for (a, b) in inverse.iter().zip(&near) {
            assert!((a - b).abs() < 1e-5, "{a} against {b}");
        }
        assert_eq!(weights(ClassWeights::EffectiveNumber { beta: 0.0 }), [1.0; 3]);
        assert!((inverse.iter().sum::<f64>() - 3.0).abs() < 1e-12);
    }
}
