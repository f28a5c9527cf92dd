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

    /// With two classes only the sum of the variances counts, and the expectation is an integral over one normal.
    #[test]
    fn two_classes_as_by_quadrature() {
        const N: usize = 4000;
        let logits = Array2::from_shape_fn((N, 2), |(i, j)| if i % 2 == j { 2.0 } else { 0.0 });
        let labels: Vec<u32> = (0..N as u32).map(|i| i % 2).collect();
        let sigmoid = |v: f64| 1.0 / (1.0 + (-v).exp());
        for (deviations, scale) in [([0.5, 3.0], 1.0), ([1.0, 1.0], 1.0), ([0.5, 3.0], 0.5)] {
            let sd = f64::hypot(deviations[0], deviations[1]);
            let step = 1e-3;
            let at = |i: i32| f64::from(i) * step;
            let density = |e: f64| (-0.5 * e * e).exp() / std::f64::consts::TAU.sqrt();
            let integral: f64 = (-8000..=8000)
                .map(|i| step * density(at(i)) * sigmoid(scale * (2.0 + sd * at(i))))
                .sum();
            let wanted = integral / sigmoid(2.0 * scale);
            // A probability deviates by less than a half, and each class has so many draws.
            let error = 0.5 / ((N / 2 * DRAWS) as f64).sqrt() / sigmoid(2.0 * scale);
            for found in perturbation(logits.view(), &labels, &deviations, scale) {
                let found = found.unwrap();
                assert!(
                    (found - wanted).abs() < 4.0 * error,
                    "{deviations:?} {scale}: {found} {wanted}"
                );
            }
            assert!((wanted - 1.0).abs() > 4.0 * error, "the case must tell an effect from none");
        }
    }
}
