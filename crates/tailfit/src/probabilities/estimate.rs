use ndarray::{ArrayView2, Axis};

use crate::error::{Error, Result};

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

/// The class frequencies `[K]` behind how often a head predicts each class, `predictions` `[K]`, given
/// what it predicts for labelled samples that it was not trained on, as pairs (class, predicted class):
/// black-box shift estimation (BBSE). It trusts no probabilities, only that samples of a class are
/// alike there and here.
///
/// ```text
/// C[i, k] = P(predicted i | class k), on the labelled samples
/// q = C⁻¹ · predictions, where that is nowhere negative
/// ```
///
/// Elsewhere, the frequencies under which the predictions are most likely, by expectation and
/// maximisation from equal frequencies (the MLLS-CM of Garg et al., NeurIPS 2020), which are C⁻¹ ·
/// predictions wherever both exist. Predictions of a class that is predicted for no labelled sample say
/// nothing, and are left out.
///
/// Source: Lipton et al., ICML 2018, eq. 2.
///
/// # Errors
///
/// If a class has no labelled sample.
///
/// # Panics
///
/// If a class is not below K.
pub fn estimate_prior_by_confusion(
    labelled: &[(u32, u32)],
    predictions: &[usize],
) -> Result<Vec<f64>> {
    let k = predictions.len();
    let mut counts = vec![0.0; k];
    for &(class, _) in labelled {
        counts[class as usize] += 1.0;
    }
    if let Some(class) = counts.iter().position(|&count| count == 0.0) {
        let remedy = "estimate without labelled samples, from the probabilities alone";
        let found = format!("none of class {class}");
        return Err(Error::data("labelled samples", "some of each class", found, remedy));
    }
    let mut prior = vec![1.0 / k as f64; k];
    for _ in 0..ROUNDS {
        let mut expected = vec![0.0; k];
        for &(class, predicted) in labelled {
            expected[predicted as usize] += prior[class as usize] / counts[class as usize];
        }
        let ratio = |at: usize| {
            if expected[at] > 0.0 { predictions[at] as f64 / expected[at] } else { 0.0 }
        };
        let ratios: Vec<f64> = (0..k).map(ratio).collect();
        let mut next = vec![0.0; k];
        for &(class, predicted) in labelled {
            let (class, ratio) = (class as usize, ratios[predicted as usize]);
            next[class] += prior[class] * ratio / counts[class];
        }
        let total: f64 = next.iter().sum();
        if total == 0.0 {
            break;
        }
        for q in &mut next {
            *q /= total;
        }
        let change = next.iter().zip(&prior).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        prior = next;
        if change < TOLERANCE {
            break;
        }
    }
    Ok(prior)
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

    /// Ten labelled samples of each class, of which `kept` are predicted to be what they are and the
    /// others the next class.
    fn labelled(kept: [u32; 3]) -> Vec<(u32, u32)> {
        let of = |class: u32| {
            (0..10).map(move |i| {
                (class, if i < kept[class as usize] { class } else { (class + 1) % 3 })
            })
        };
        (0..3).flat_map(of).collect()
    }

    /// Frequencies (.7, .2, .1) through the confusions of a head are found again from them.
    #[test]
    fn confusions_are_undone() {
        let shown = |[a, b, c]: [usize; 3]| vec![a, b, c];
        // 9, 6 and 8 of ten right: predictions .63 + .02, .12 + .07, .08 + .08.
        let prior =
            estimate_prior_by_confusion(&labelled([9, 6, 8]), &shown([650, 190, 160])).unwrap();
        for (found, known) in prior.iter().zip([0.7, 0.2, 0.1]) {
            assert!((found - known).abs() < 1e-6, "{prior:?}");
        }
        // The inverse would be negative: of predictions of class 0 alone, one in ten should be of class 1.
        let prior = estimate_prior_by_confusion(&labelled([9, 6, 8]), &shown([10, 0, 0])).unwrap();
        assert!(prior[0] > 0.99 && prior.iter().all(|&q| q >= 0.0), "{prior:?}");
        assert!((prior.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        // Never predicted for labelled samples: no evidence.
        let only = [(0, 0), (1, 1), (2, 1)];
        let prior = estimate_prior_by_confusion(&only, &shown([3, 1, 100])).unwrap();
        assert!((prior[0] - 0.75).abs() < 1e-6, "{prior:?}");
        let prior = estimate_prior_by_confusion(&only, &shown([0, 0, 5])).unwrap();
        assert_eq!(prior, [1.0 / 3.0; 3]);
        let error = estimate_prior_by_confusion(&only[..2], &shown([1, 1, 1])).unwrap_err();
        assert!(error.to_string().contains("none of class 2"), "{error}");
    }
}
