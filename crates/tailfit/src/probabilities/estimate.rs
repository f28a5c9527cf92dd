use ndarray::{ArrayView2, Axis};

/// Most rounds of expectation and maximisation.
const ROUNDS: usize = 1000;

/// No frequency changes by more than this in the last round.
const TOLERANCE: f64 = 1e-8;

/// The class frequencies `[K]` under which unlabelled samples are most likely, given probabilities
/// `[N, K]` of a head that assumes classes as frequent as `from`, `[K]`: maximum likelihood by
/// expectation and maximisation (MLLS).
///
/// ```text
/// q ← mean over samples of p · q / from, each sample normalised
/// ```
///
/// It trusts the probabilities: fit a temperature first (Alexandari et al., ICML 2020).
///
/// Source: Saerens et al., Neural Computation 2002, eq. 2.9.
pub fn estimate_prior(probabilities: ArrayView2<'_, f64>, from: &[f64]) -> Vec<f64> {
    let (n, k) = probabilities.dim();
    let mut prior = from.to_vec();
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; k];
        let ratio: Vec<f64> = prior.iter().zip(from).map(|(q, from)| q / from).collect();
        for row in probabilities.axis_iter(Axis(0)) {
            let total: f64 = row.iter().zip(&ratio).map(|(p, r)| p * r).sum();
            let scale = if total > 0.0 { 1.0 / (total * n as f64) } else { 0.0 };
            for ((next, p), r) in next.iter_mut().zip(row).zip(&ratio) {
                *next += p * r * scale;
            }
        }
        let change = next.iter().zip(&prior).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        prior = next;
        if change < TOLERANCE {
            break;
        }
    }
    prior
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// A signal with two values: P(1 | class 0) = 0.2, P(1 | class 1) = 0.7. Of 1,000 samples with
    /// classes 9 to 1, 200 · 0.9 + … = 250 show a 1, and nothing but 0.9 and 0.1 explains that.
    #[test]
    fn finds_the_frequencies_behind_a_known_signal() {
        let posterior = |one: f64, two: f64| [one / (one + two), two / (one + two)];
        let (seen, unseen) = (posterior(0.2, 0.7), posterior(0.8, 0.3));
        let rows: Vec<f64> = (0..1000).flat_map(|i| if i < 250 { seen } else { unseen }).collect();
        let probabilities = Array2::from_shape_vec((1000, 2), rows).unwrap();
        let prior = estimate_prior(probabilities.view(), &[0.5, 0.5]);
        assert!((prior[0] - 0.9).abs() < 1e-4 && (prior[1] - 0.1).abs() < 1e-4, "{prior:?}");
        // The same of a head that assumes classes 3 to 1.
        let (seen, unseen) = (posterior(0.6, 0.7), posterior(2.4, 0.3));
        let rows: Vec<f64> = (0..1000).flat_map(|i| if i < 250 { seen } else { unseen }).collect();
        let probabilities = Array2::from_shape_vec((1000, 2), rows).unwrap();
        let prior = estimate_prior(probabilities.view(), &[0.75, 0.25]);
        assert!((prior[0] - 0.9).abs() < 1e-4 && (prior[1] - 0.1).abs() < 1e-4, "{prior:?}");
    }
}
