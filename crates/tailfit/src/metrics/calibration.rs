//! Negative log-likelihood and expected calibration error.

use serde::{Deserialize, Serialize};

/// Number of confidence bins.
const BINS: usize = 15;

/// How well softmax(logits) predicts its own errors.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Mean −log softmax(z)_y, natural logarithm.
    pub nll: f64,
    /// Expected calibration error over 15 equal bins of confidence, in percent:
    /// Σ over bins (samples / N) |accuracy − mean confidence|.
    pub ece_percent: f64,
}

/// Sums per confidence bin ((b / 15, (b + 1) / 15]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CalibrationBins {
    /// Samples per bin.
    pub samples: [u32; BINS],
    /// Correct predictions per bin.
    pub hits: [u32; BINS],
    /// Sum of confidences per bin.
    pub confidence: [f64; BINS],
    nll: f64,
}

impl CalibrationBins {
    /// Adds one sample; `log_sum` is log Σ exp(z) and `top` the largest logit.
    pub(super) fn add(&mut self, label_logit: f64, top: f64, log_sum: f64, hit: bool) {
        self.nll += log_sum - label_logit;
        let confidence = (top - log_sum).exp();
        // Bins are closed on the right.
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        self.samples[bin] += 1;
        self.hits[bin] += u32::from(hit);
        self.confidence[bin] += confidence;
    }

    /// NLL and ECE of all samples added.
    pub fn calibration(&self) -> Calibration {
        let n = f64::from(self.samples.iter().sum::<u32>().max(1));
        let gap = |bin: usize| (f64::from(self.hits[bin]) - self.confidence[bin]).abs();
        Calibration { nll: self.nll / n, ece_percent: 100.0 * (0..BINS).map(gap).sum::<f64>() / n }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn always_sure_and_right_half_the_time() {
        let mut bins = CalibrationBins::default();
        bins.add(100.0, 100.0, 100.0, true);
        bins.add(98.0, 100.0, 100.0, false);
        let Calibration { nll, ece_percent } = bins.calibration();
        assert_eq!((nll, ece_percent), (1.0, 50.0));
        assert_eq!(bins.samples[14], 2);
    }
}
