use std::collections::BTreeMap;

use ndarray::{ArrayView2, Axis};

use crate::error::{Error, Result, listed};

/// Most rounds of expectation and maximisation.
const ROUNDS: usize = 1000;

/// No frequency changes by more than this in the last round.
const TOLERANCE: f64 = 1e-8;

/// The same where a round goes through confusions alone, the most of them in all, and what ends the
/// rounds.
const ROUNDS_BY_CONFUSION: usize = 100_000;
const CONFUSIONS: usize = 200_000_000;
const GAIN: f64 = 1e-10;

/// The class frequencies `[K]` under which unlabelled samples are most likely, given probabilities
/// `[N, K]` of a head that assumes classes as frequent as `from`, `[K]`: maximum likelihood by
/// expectation and maximisation (MLLS).
///
/// ```text
/// q ← mean over samples of p · q / from, each sample normalised
/// ```
///
/// It trusts the probabilities: fit a temperature first (Alexandari et al., ICML 2020). Of no samples
/// it gives `from`.
///
/// Source: Saerens et al., Neural Computation 2002, eq. 2.9.
pub fn estimate_prior(probabilities: ArrayView2<'_, f64>, from: &[f64]) -> Vec<f64> {
    let (n, k) = probabilities.dim();
    let mut prior = from.to_vec();
    if n == 0 {
        return prior;
    }
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
/// q = C⁻¹ · predictions, where that exists and is nowhere negative
/// ```
///
/// Elsewhere, the frequencies under which the predictions are most likely (the MLLS-CM of Garg et al.,
/// NeurIPS 2020); of several, those that expectation and maximisation reach from equal ones. The rounds
/// are the same in both cases: they end where no frequencies make a prediction more likely by more than
/// a factor of 1 + 1e-10, or after 100,000 (less for more than 2,000 different pairs). Predictions of a
/// class that is predicted for no labelled sample say nothing, and are left out.
///
/// Source: Lipton et al., ICML 2018, eq. 2.
///
/// # Errors
///
/// If a class has no labelled sample, or all predictions say nothing.
///
/// # Panics
///
/// If a class is not below K.
pub fn estimate_prior_by_confusion(
    labelled: &[(u32, u32)],
    predictions: &[usize],
) -> Result<Vec<f64>> {
    let k = predictions.len();
    let mut pairs: BTreeMap<(u32, u32), f64> = BTreeMap::new();
    let (mut sizes, mut is_predicted) = (vec![0.0; k], vec![false; k]);
    for &(class, predicted) in labelled {
        *pairs.entry((class, predicted)).or_default() += 1.0;
        sizes[class as usize] += 1.0;
        is_predicted[predicted as usize] = true;
    }
    let absent: Vec<String> =
        (0..k).filter(|&class| sizes[class] == 0.0).map(|class| class.to_string()).collect();
    if !absent.is_empty() {
        let found = format!("none of class {}", listed(&absent));
        let remedy = "label some, or estimate without labelled samples, from probabilities alone";
        return Err(Error::data("labelled samples", "some of each class", found, remedy));
    }
    let usable = (0..k).filter(|&class| is_predicted[class]);
    let total = usable.map(|class| predictions[class] as f64).sum::<f64>();
    if total == 0.0 {
        let expected = "some of a class that is predicted for a labelled sample";
        return Err(Error::data("predictions", expected, "none", "label more samples"));
    }
    // Entries of C: class, predicted class, probability.
    let entries: Vec<(usize, usize, f64)> = pairs
        .into_iter()
        .map(|((class, predicted), n)| (class as usize, predicted as usize, n))
        .map(|(class, predicted, n)| (class, predicted, n / sizes[class]))
        .collect();
    let mut prior = vec![1.0 / k as f64; k];
    for _ in 0..(CONFUSIONS / entries.len()).clamp(ROUNDS, ROUNDS_BY_CONFUSION) {
        let mut expected = vec![0.0; k];
        for &(class, predicted, p) in &entries {
            expected[predicted] += p * prior[class];
        }
        // By how much a little more of each class makes the predictions more likely.
        let mut gains = vec![0.0; k];
        for &(class, predicted, p) in &entries {
            if expected[predicted] > 0.0 {
                gains[class] += p * predictions[predicted] as f64 / total / expected[predicted];
            }
        }
        prior.iter_mut().zip(&gains).for_each(|(q, gain)| *q *= gain);
        // Their likelihood is concave: the largest gain bounds what is left.
        if gains.iter().all(|gain| *gain <= 1.0 + GAIN) {
            break;
        }
    }
    let sum: f64 = prior.iter().sum();
    Ok(prior.into_iter().map(|q| q / sum).collect())
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
        // A head that is hardly better than chance: far from equal frequencies in spite of it.
        let of =
            |class: u32| (0..100).map(move |i| (class, if i < 52 { class } else { 1 - class }));
        let weak: Vec<(u32, u32)> = (0..2).flat_map(of).collect();
        let prior = estimate_prior_by_confusion(&weak, &[516, 484]).unwrap();
        assert!((prior[0] - 0.9).abs() < 1e-4, "{prior:?}");
        // Never predicted for labelled samples: no evidence.
        let only = [(0, 0), (1, 1), (2, 1)];
        let prior = estimate_prior_by_confusion(&only, &shown([3, 1, 100])).unwrap();
        assert!((prior[0] - 0.75).abs() < 1e-6, "{prior:?}");
        let refused = |labelled: &[(u32, u32)], predictions: [usize; 3], why: &str| {
            let error = estimate_prior_by_confusion(labelled, &predictions).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        };
        refused(&only, [0, 0, 5], "predictions: expected some of a class");
        refused(&only, [0, 0, 0], "predictions: expected some of a class");
        refused(&only[..2], [1, 1, 1], "none of class `2`");
        refused(&[], [1, 1, 1], "none of class `0`, `1`, `2`");
    }
}
