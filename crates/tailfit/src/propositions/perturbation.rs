//! Proposition 3: what random perturbations of logits do to the probability of a class.

use ndarray::{ArrayView2, Axis};
use rayon::prelude::*;

use crate::rng::{Purpose, Rng};

/// Draws for each sample.
const DRAWS: usize = 32;

/// `E[s′ᵢ]` / `E[sᵢ]` for each class i, over the samples of class i; `None` where it has none.
pub type Ratios = Vec<Option<f64>>;

/// The perturbation model of section 3.1: z′ᵢ = c (zᵢ + σᵢ ε) with independent normal ε, where
/// σᵢ = Rᵢ Lᵢ is the deviation of a class's logit and c scales logits and perturbation alike, as a
/// smaller Logits Magnitude does. Returns `E[s′ᵢ]` / `E[sᵢ]` of each class i on its own samples.
///
/// # Panics
///
/// If shapes do not agree.
pub fn perturbation(
    logits: ArrayView2<'_, f64>,
    labels: &[u32],
    deviations: &[f64],
    scale: f64,
) -> Ratios {
    let k = logits.ncols();
    assert_eq!((labels.len(), deviations.len()), logits.dim(), "shapes");
    let sums: Vec<(u32, [f64; 2])> = (0..labels.len())
        .into_par_iter()
        .map(|row| {
            let mut rng = Rng::new(row as u64, Purpose::Loss, 0);
            let (z, label) = (logits.index_axis(Axis(0), row), labels[row] as usize);
            let share = |noise: &dyn Fn(usize) -> f64| {
                let own = z[label] + noise(label);
                let others = (0..k).map(|j| (scale * (z[j] + noise(j) - own)).exp());
                1.0 / others.sum::<f64>()
            };
            let plain = share(&|_| 0.0);
            let mut noisy = 0.0;
            for _ in 0..DRAWS {
                let noise: Vec<f64> = deviations.iter().map(|d| d * rng.normal()).collect();
                noisy += share(&|j| noise[j]) / DRAWS as f64;
            }
            (labels[row], [plain, noisy])
        })
        .collect();
    let mut of_class = vec![[0.0; 2]; k];
    for (label, [plain, noisy]) in sums {
        of_class[label as usize][0] += plain;
        of_class[label as usize][1] += noisy;
    }
    of_class.into_iter().map(|[plain, noisy]| (plain > 0.0).then(|| noisy / plain)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// Equal deviations on symmetric logits do the same to every class; unequal ones do not; and the
    /// smaller the scale, the less it matters.
    #[test]
    fn ratios_are_equal_only_where_deviations_are_and_shrink_with_the_scale() {
        let logits = Array2::from_shape_fn((900, 3), |(i, j)| if i % 3 == j { 2.0 } else { 0.0 });
        let labels: Vec<u32> = (0..900).map(|i| i % 3).collect();
        let spread = |deviations: &[f64], scale: f64| {
            let ratios = perturbation(logits.view(), &labels, deviations, scale);
            let all: Vec<f64> = ratios.into_iter().flatten().collect();
            all.iter().copied().fold(0.0, f64::max) - all.iter().copied().fold(9.0, f64::min)
        };
        let (equal, unequal) = (spread(&[1.0; 3], 1.0), spread(&[0.5, 1.0, 3.0], 1.0));
        assert!(equal < 0.005 && unequal > 4.0 * equal, "{equal} {unequal}");
        assert!(spread(&[0.5, 1.0, 3.0], 0.01) < 0.1 * unequal);
    }
}
