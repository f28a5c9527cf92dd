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
    /// The bins that hold samples, in order; records of earlier versions have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bins: Vec<ConfidenceBin>,
}

/// The samples predicted about equally confidently: a point of a reliability diagram.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfidenceBin {
    /// How many.
    pub samples: u32,
    /// Their mean confidence, in percent.
    pub confidence_percent: f64,
    /// How many of them are right, in percent.
    pub accuracy_percent: f64,
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
        let bin = |bin: usize| {
            let (samples, hits) = (self.samples[bin], f64::from(self.hits[bin]));
            let mean = |sum: f64| 100.0 * sum / f64::from(samples);
            let (confidence_percent, accuracy_percent) = (mean(self.confidence[bin]), mean(hits));
            (samples > 0).then_some(ConfidenceBin { samples, confidence_percent, accuracy_percent })
        };
        Calibration {
            nll: self.nll / n,
            ece_percent: 100.0 * (0..BINS).map(gap).sum::<f64>() / n,
            bins: (0..BINS).filter_map(bin).collect(),
        }
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
        let Calibration { nll, ece_percent, bins: full } = bins.calibration();
        assert_eq!((nll, ece_percent), (1.0, 50.0));
        let bin = ConfidenceBin { samples: 2, confidence_percent: 100.0, accuracy_percent: 50.0 };
        assert_eq!(full, [bin]);
        assert_eq!(bins.samples[14], 2);
    }
}
