use ndarray::{ArrayView2, Axis};
use serde::Serialize;

/// Number of confidence bins.
const BINS: usize = 15;

/// How good probabilities are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProbabilityScores {
    /// Mean −log p_y, natural logarithm.
    pub nll: f64,
    /// Expected calibration error of the predicted class over 15 equal bins, in percent.
    pub ece_percent: f64,
    /// Mean over the classes of the calibration error of that class's probability, whatever is predicted,
    /// in percent (Kull et al., NeurIPS 2019, classwise ECE).
    pub classwise_ece_percent: f64,
}

#[derive(Clone, Default)]
struct Bins([(f64, f64); BINS]);

impl Bins {
    fn add(&mut self, probability: f64, hit: bool) {
        // Bins are closed on the right.
        let bin = ((probability * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        self.0[bin].0 += probability;
        self.0[bin].1 += f64::from(u8::from(hit));
    }

    /// Σ over bins |hits − probabilities| / n, in percent.
    fn error(&self, n: usize) -> f64 {
        let gaps = self.0.iter().map(|(probability, hits)| (hits - probability).abs());
        100.0 * gaps.sum::<f64>() / n as f64
    }
}

impl ProbabilityScores {
    /// Scores probabilities, `[N, K]`, of samples of these classes.
    ///
    /// # Panics
    ///
    /// If the numbers of labels and rows differ, or a label is not a class.
    pub fn of(probabilities: ArrayView2<'_, f64>, labels: &[u32]) -> Self {
        let (n, k) = probabilities.dim();
        assert_eq!(n, labels.len(), "a label for each row");
        let (mut nll, mut top, mut each) = (0.0, Bins::default(), vec![Bins::default(); k]);
        for (row, &label) in probabilities.axis_iter(Axis(0)).zip(labels) {
            let label = label as usize;
            nll -= row[label].max(f64::MIN_POSITIVE).ln();
            let best =
                (1..k).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            top.add(row[best], best == label);
            for (class, bins) in each.iter_mut().enumerate() {
                bins.add(row[class], class == label);
            }
        }
        let classwise = each.iter().map(|bins| bins.error(n)).sum::<f64>() / k as f64;
        Self { nll: nll / n as f64, ece_percent: top.error(n), classwise_ece_percent: classwise }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn sure_and_right_half_the_time() {
        let sure = array![[1.0, 0.0], [1.0, 0.0]];
        let scores = ProbabilityScores::of(sure.view(), &[0, 1]);
        assert_eq!((scores.ece_percent, scores.classwise_ece_percent), (50.0, 50.0));
        let fair = array![[0.5, 0.5], [0.5, 0.5]];
        let scores = ProbabilityScores::of(fair.view(), &[0, 1]);
        assert_eq!(scores.ece_percent, 0.0);
        assert!((scores.nll - 2_f64.ln()).abs() < 1e-15);
    }
}
