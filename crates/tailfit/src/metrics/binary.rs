//! The usual figures of two classes.

use serde::Serialize;

/// Figures of a classifier of two classes, one of which is called positive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Binary {
    /// The positive class.
    pub positive: usize,
    /// Recall of the positive class, in percent.
    pub sensitivity_percent: f64,
    /// Recall of the other, in percent.
    pub specificity_percent: f64,
    /// Share of samples predicted positive that are, in percent; 0 if none is.
    pub precision_percent: f64,
    /// Harmonic mean of precision and sensitivity, in percent.
    pub f1_percent: f64,
    /// Matthews' correlation coefficient, -1 to 1; 0 where it is not defined.
    pub matthews: f64,
    /// Area under the receiver operating characteristic, in percent: the chance that a positive
    /// sample has a higher score than another, ties counting half.
    pub roc_auc_percent: f64,
    /// Average precision over the thresholds at the positive samples' scores, in percent.
    pub average_precision_percent: f64,
}

impl Binary {
    /// From each sample's score (larger is more positive; above 0 is predicted positive) and whether
    /// it is positive; `None` unless there are samples of both kinds.
    pub fn new(positive: usize, samples: &[(f64, bool)]) -> Option<Self> {
        let count = |of: fn(f64, bool) -> bool| -> f64 {
            samples.iter().filter(|&&(score, is)| of(score, is)).count() as f64
        };
        let (positives, negatives) = (count(|_, is| is), count(|_, is| !is));
        if positives == 0.0 || negatives == 0.0 {
            return None;
        }
        let hits = count(|score, is| score > 0.0 && is);
        let alarms = count(|score, is| score > 0.0 && !is);
        let (misses, rejections) = (positives - hits, negatives - alarms);
        let divided = |a: f64, b: f64| if b > 0.0 { a / b } else { 0.0 };
        let (auc, average) = areas(samples, positives, negatives);
        let spread = ((hits + alarms) * positives * negatives * (rejections + misses)).sqrt();
        Some(Self {
            positive,
            sensitivity_percent: 100.0 * hits / positives,
            specificity_percent: 100.0 * rejections / negatives,
            precision_percent: 100.0 * divided(hits, hits + alarms),
            f1_percent: 100.0 * 2.0 * hits / (2.0 * hits + alarms + misses),
            matthews: divided(hits * rejections - alarms * misses, spread),
            roc_auc_percent: 100.0 * auc,
            average_precision_percent: 100.0 * average,
        })
    }
}

/// Area under the ROC curve and average precision; samples of equal score pass together.
fn areas(samples: &[(f64, bool)], positives: f64, negatives: f64) -> (f64, f64) {
    let mut sorted = samples.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut auc, mut average) = (0.0, 0.0);
    let (mut hits, mut alarms) = (0.0, 0.0);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let new = tied.iter().filter(|(_, is)| *is).count() as f64;
        let others = tied.len() as f64 - new;
        auc += others * (hits + new / 2.0);
        hits += new;
        alarms += others;
        average += new * hits / (hits + alarms);
    }
    (auc / (positives * negatives), average / positives)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scikit-learn's example: scores .1, .4, .35, .8 of classes 0, 0, 1, 1 have an area of 0.75 and an
    /// average precision of 0.83.
    #[test]
    fn areas_are_scikit_learns() {
        let samples = [(0.1, false), (0.4, false), (0.35, true), (0.8, true)];
        let binary = Binary::new(1, &samples).unwrap();
        assert!((binary.roc_auc_percent - 75.0).abs() < 1e-12);
        assert!((binary.average_precision_percent - 83.333_333_333).abs() < 1e-6);
        assert_eq!((binary.sensitivity_percent, binary.specificity_percent), (100.0, 0.0));
        assert_eq!((binary.precision_percent, binary.matthews), (50.0, 0.0));
        assert_eq!(Binary::new(1, &samples[..2]), None);
    }
}
