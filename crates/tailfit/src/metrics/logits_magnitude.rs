//! Logits Magnitude (`LoMa`) and Regularised Standard Deviation (RSD), in every reading.
//!
//! Definition 1 of Sun et al. can be read by column or by row of the matrix
//! M[c, k] = mean of zₖ over the samples of class c:
//!
//! ```text
//! A (column):       Lᵢ = M[i, i] − mean of zᵢ over all samples of other classes
//! A, class means:   Lᵢ = M[i, i] − mean over c ≠ i of M[c, i]
//! B (row):          Lᵢ = M[i, i] − mean over k ≠ i of M[i, k]
//! ```
//!
//! A per-class offset (hence post-hoc logit adjustment) does not change A, but changes B.
//! Adding one vector to all rows of W (Proposition 2) does not change B, and changes A unless
//! the logits are centred, z − mean(z). **Primary: A on centred logits.** On a balanced set A
//! and B have the same mean over classes.
//!
//! RSD is Rᵢ = σ(zᵢ) / Lᵢ; the paper does not say which σ. **Primary: P**, the standard
//! deviation (n − 1) of zᵢ over the samples of class i.

use serde::{Deserialize, Serialize};

/// Running sums over samples from which all readings follow: O(K) memory, one pass.
#[derive(Clone, Debug)]
pub struct LogitStatistics {
    /// Subtracted before squaring to avoid cancellation, `[K]`.
    shift: Vec<f64>,
    samples: Vec<f64>,
    /// Sum and sum of squares of zᵢ − shiftᵢ over the samples of class i.
    own: Vec<[f64; 2]>,
    /// The same over all samples.
    all: Vec<[f64; 2]>,
    /// Σ over samples of (zₖ − shiftₖ) / n_y, with n_y the number of samples in its class.
    by_class_mean: Vec<f64>,
    /// Σ over the samples of class i of Σₖ zₖ.
    row_sum: Vec<f64>,
}

/// Every reading of `LoMa` and RSD on one kind of logits (raw or centred), `[K]` each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readings {
    /// Reading A.
    pub a: Vec<Option<f64>>,
    /// Reading A with class means.
    pub a_class_means: Vec<Option<f64>>,
    /// Reading B.
    pub b: Vec<Option<f64>>,
    /// Standard deviations σ.
    pub deviations: Deviations,
    /// R = σ / L, with reading A; absent where L ≤ 0.
    pub rsd: Deviations,
}

/// One number per class (`[K]`) for each definition of the logit's standard deviation σ(zᵢ).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// Over the samples of class i.
    pub p: Vec<Option<f64>>,
    /// Over the samples of other classes.
    pub n: Vec<Option<f64>>,
    /// √((P² + N²) / 2).
    pub pooled: Vec<Option<f64>>,
    /// Over all samples.
    pub all: Vec<Option<f64>>,
}

/// Raw and centred readings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogitsMagnitude {
    /// On the logits as they are.
    pub raw: Readings,
    /// On the logits minus their mean over the classes; its reading A is the primary one.
    pub centred: Readings,
}

impl LogitStatistics {
    /// For a set with `samples[k]` samples of class k; `first` is its first row of logits.
    pub fn new(samples: &[u32], first: &[f64]) -> Self {
        let n_classes = samples.len();
        Self {
            shift: first.to_vec(),
            samples: samples.iter().map(|&n| f64::from(n)).collect(),
            own: vec![[0.0; 2]; n_classes],
            all: vec![[0.0; 2]; n_classes],
            by_class_mean: vec![0.0; n_classes],
            row_sum: vec![0.0; n_classes],
        }
    }

    /// Adds one sample.
    pub fn add(&mut self, z: &[f64], label: usize) {
        let share = 1.0 / self.samples[label];
        let mut row_sum = 0.0;
        for (k, &value) in z.iter().enumerate() {
            let shifted = value - self.shift[k];
            self.all[k][0] += shifted;
            self.all[k][1] += shifted * shifted;
            self.by_class_mean[k] += shifted * share;
            row_sum += value;
        }
        let shifted = z[label] - self.shift[label];
        self.own[label][0] += shifted;
        self.own[label][1] += shifted * shifted;
        self.row_sum[label] += row_sum;
    }

    /// All readings of the samples added.
    pub fn readings(&self) -> Readings {
        let n_classes = self.samples.len();
        let total: f64 = self.samples.iter().sum();
        let present = self.samples.iter().filter(|&&n| n > 0.0).count() as f64;
        let mut readings = Readings::default();
        for i in 0..n_classes {
            let n = self.samples[i];
            let rest = total - n;
            let own_mean = ratio(self.own[i][0], n);
            let others = [self.all[i][0] - self.own[i][0], self.all[i][1] - self.own[i][1]];
            let other_mean = ratio(others[0], rest);
            let a = own_mean.zip(other_mean).map(|(own, other)| own - other);
            let class_means = |own: f64| ratio(self.by_class_mean[i] - own, present - 1.0);
            let row = |own: f64| {
                let own = own + self.shift[i];
                own - (self.row_sum[i] / n - own) / (n_classes as f64 - 1.0)
            };
            readings.a.push(a);
            readings.a_class_means.push(own_mean.and_then(|o| class_means(o).map(|m| o - m)));
            readings.b.push(own_mean.map(row));

            let p = deviation(self.own[i], n);
            let other = deviation(others, rest);
            let pooled = p.zip(other).map(|(p, n)| f64::midpoint(p * p, n * n).sqrt());
            let all = deviation(self.all[i], total);
            let magnitude = a.filter(|a| *a > 0.0);
            let over = |sigma: Option<f64>| sigma.zip(magnitude).map(|(sigma, l)| sigma / l);
            readings.rsd.push(over(p), over(other), over(pooled), over(all));
            readings.deviations.push(p, other, pooled, all);
        }
        readings
    }
}

impl Deviations {
    fn push(&mut self, p: Option<f64>, n: Option<f64>, pooled: Option<f64>, all: Option<f64>) {
        self.p.push(p);
        self.n.push(n);
        self.pooled.push(pooled);
        self.all.push(all);
    }
}

fn ratio(sum: f64, n: f64) -> Option<f64> {
    (n > 0.0).then(|| sum / n)
}

/// Standard deviation (n − 1) from the sum and the sum of squares.
fn deviation([sum, squares]: [f64; 2], n: f64) -> Option<f64> {
    (n > 1.0).then(|| ((squares - sum * sum / n) / (n - 1.0)).max(0.0).sqrt())
}

/// Lᵢ / Σⱼ |Lⱼ|, `[K]`: the normalisation of the paper's Figure 3a.
pub fn one_norm(magnitudes: &[f64]) -> Vec<f64> {
    let total: f64 = magnitudes.iter().map(|l| l.abs()).sum();
    magnitudes.iter().map(|l| l / total).collect()
}

/// [`one_norm`] times the number of classes, over the classes that have a magnitude: 1 for all of them where they
/// are balanced.
pub fn relative_magnitudes(magnitudes: &[Option<f64>]) -> Vec<Option<f64>> {
    let total: f64 = magnitudes.iter().flatten().map(|l| l.abs()).sum();
    let n = magnitudes.iter().flatten().count() as f64;
    magnitudes.iter().map(|l| l.map(|l| n * l / total)).collect()
}

/// Population standard deviation divided by the mean: how unequal the magnitudes are. 0 is
/// balanced.
pub fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean != 0.0).then(|| variance.sqrt() / mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes, two samples each, class-1 logit always 0.
    #[test]
    fn readings_by_eye() {
        let rows = [([3.0, 0.0], 0), ([5.0, 0.0], 0), ([1.0, 0.0], 1), ([1.0, 0.0], 1)];
        let mut statistics = LogitStatistics::new(&[2, 2], &rows[0].0);
        for (z, label) in &rows {
            statistics.add(z, *label);
        }
        let readings = statistics.readings();
        assert_eq!(readings.a, [Some(3.0), Some(0.0)]);
        assert_eq!(readings.a_class_means, readings.a);
        assert_eq!(readings.b, [Some(4.0), Some(-1.0)]);
        assert_eq!(readings.deviations.p, [Some(2.0_f64.sqrt()), Some(0.0)]);
        assert_eq!(readings.rsd.p[1], None, "no RSD where the magnitude is not positive");
        assert_eq!(coefficient_of_variation(&[3.0, 1.0]), Some(0.5));
        assert_eq!(one_norm(&[3.0, -1.0]), [0.75, -0.25]);
        let relative = relative_magnitudes(&[Some(3.0), None, Some(-1.0)]);
        assert_eq!(relative, [Some(1.5), None, Some(-0.5)]);
    }
}
