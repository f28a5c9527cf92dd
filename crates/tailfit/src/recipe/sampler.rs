//! Which training samples an epoch sees, and in what order.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::rng::{Purpose, Rng};

/// How the training set is sampled. Every epoch has N samples.
///
/// Except for [`Sampler::InstanceBalanced`] and [`Sampler::ClassAware`], a class is drawn
/// first and then a sample within it, with replacement. In expectation, sampling class k with
/// probability pₖ equals cross-entropy with class weights pₖ/πₖ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Sampler {
    /// Each sample once, shuffled.
    #[default]
    InstanceBalanced,
    /// pₖ = 1/K.
    ClassBalanced,
    /// pₖ ∝ √nₖ.
    SquareRoot,
    /// pₖ ∝ nₖ^q.
    Power {
        /// q: 1 is instance-balanced, 0 class-balanced, -1 reversed.
        q: f64,
    },
    /// From instance-balanced in the first epoch to class-balanced in the last:
    /// pₖ = (1 − a) πₖ + a/K with a = e / (E − 1). Kang et al., ICLR 2020, eq. 3.
    Progressive,
    /// Classes in a shuffled cycle, `per_visit` samples of each in turn; each class's own
    /// list is shuffled and cycled without replacement (Shen et al., ECCV 2016, in the
    /// form of Kang et al.'s code with 4 per visit).
    ClassAware {
        /// Samples taken each time a class comes up.
        per_visit: usize,
    },
    /// Sample i with probability ∝ σ(φ_{yᵢ}); φ `[K]`, at first 0, is learned so that steps on the
    /// drawn samples lower the cross-entropy of class-balanced batches of the training set (BALMS's
    /// meta sampler: Ren et al., NeurIPS 2020, alg. 1). For linear heads on features only.
    Learned,
}

impl Sampler {
    /// Checks the parameters.
    ///
    /// # Errors
    ///
    /// If `q` is not finite or `per_visit` is 0.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Power { q } if !q.is_finite() => {
                Err(Error::usage("sampler.power.q", "a finite number", q, ""))
            }
            Self::ClassAware { per_visit: 0 } => {
                Err(Error::usage("sampler.class-aware.per_visit", "at least 1", 0, ""))
            }
            _ => Ok(()),
        }
    }

    /// Class probabilities pₖ, `[K]`, in `epoch` of `epochs`.
    pub fn class_probabilities(self, counts: &[usize], epoch: usize, epochs: usize) -> Vec<f64> {
        let power = |q: f64| {
            let raw: Vec<f64> = counts.iter().map(|&n| (n as f64).powf(q)).collect();
            let total: f64 = raw.iter().sum();
            raw.into_iter().map(|p| p / total).collect::<Vec<_>>()
        };
        match self {
            // What is learned begins with all samples alike.
            Self::InstanceBalanced | Self::Learned => power(1.0),
            Self::ClassBalanced | Self::ClassAware { .. } => power(0.0),
            Self::SquareRoot => power(0.5),
            Self::Power { q } => power(q),
            Self::Progressive => {
                let a = if epochs > 1 { epoch as f64 / (epochs - 1) as f64 } else { 1.0 };
                mix(&power(1.0), &power(0.0), a)
            }
        }
    }

    /// Rows of the training set, `[N]`, in the order that `epoch` of `epochs` sees them.
    /// `rows_of_class[k]` lists the rows of class k.
    pub fn order(
        self,
        rows_of_class: &[Vec<u32>],
        seed: u64,
        epoch: usize,
        epochs: usize,
    ) -> Vec<u32> {
        let n: usize = rows_of_class.iter().map(Vec::len).sum();
        let mut rng = Rng::new(seed, Purpose::Order, epoch as u64);
        match self {
            Self::InstanceBalanced => {
                let mut order: Vec<u32> = (0..n as u32).collect();
                rng.shuffle(&mut order);
                order
            }
            Self::ClassAware { per_visit } => {
                class_aware(rows_of_class, per_visit, n, |items| rng.shuffle(items))
            }
            _ => {
                let counts: Vec<usize> = rows_of_class.iter().map(Vec::len).collect();
                let mut cumulative = self.class_probabilities(&counts, epoch, epochs);
                for k in 1..cumulative.len() {
                    cumulative[k] += cumulative[k - 1];
                }
                let last = cumulative.len() - 1;
                let mut draw = || {
                    let u = rng.uniform();
                    let class = cumulative.partition_point(|&c| c <= u).min(last);
                    rows_of_class[class][rng.below(counts[class])]
                };
                (0..n).map(|_| draw()).collect()
            }
        }
    }
}

/// (1 − a) p + a q, element-wise.
pub fn mix(p: &[f64], q: &[f64], a: f64) -> Vec<f64> {
    p.iter().zip(q).map(|(p, q)| (1.0 - a) * p + a * q).collect()
}

/// The first `n` rows of a class-aware cycle; `shuffle` is called on each list whenever it
/// starts over.
pub fn class_aware(
    rows_of_class: &[Vec<u32>],
    per_visit: usize,
    n: usize,
    mut shuffle: impl FnMut(&mut [u32]),
) -> Vec<u32> {
    let mut lists = rows_of_class.to_vec();
    let mut next = vec![0; lists.len()];
    let mut classes: Vec<u32> = (0..lists.len() as u32).collect();
    for list in &mut lists {
        shuffle(list);
    }
    let mut order = Vec::with_capacity(n);
    while order.len() < n {
        shuffle(&mut classes);
        for &class in &classes {
            let class = class as usize;
            for _ in 0..per_visit.max(1).min(n - order.len().min(n)) {
                if next[class] == lists[class].len() {
                    next[class] = 0;
                    shuffle(&mut lists[class]);
                }
                order.push(lists[class][next[class]]);
                next[class] += 1;
            }
        }
    }
    order.truncate(n);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<u32>> {
        vec![(0..900).collect(), (900..990).collect(), (990..1000).collect()]
    }

    fn class_shares(sampler: Sampler) -> [f64; 3] {
        let order = sampler.order(&rows(), 0, 3, 7);
        assert_eq!(order.len(), 1000);
        [0..900, 900..990, 990..1000]
            .map(|class| order.iter().filter(|row| class.contains(*row)).count() as f64 / 1000.0)
    }

    #[test]
    fn instance_balanced_is_a_permutation() {
        let mut order = Sampler::InstanceBalanced.order(&rows(), 0, 0, 1);
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn classes_come_up_with_their_probabilities() {
        for sampler in [
            Sampler::ClassBalanced,
            Sampler::SquareRoot,
            Sampler::Progressive,
            Sampler::ClassAware { per_visit: 4 },
        ] {
            let expected = sampler.class_probabilities(&[900, 90, 10], 3, 7);
            for (got, want) in class_shares(sampler).into_iter().zip(expected) {
                assert!((got - want).abs() < 0.05, "{sampler:?}: {got} against {want}");
            }
        }
    }
}
