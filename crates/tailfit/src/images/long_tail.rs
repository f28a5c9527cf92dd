//! How a balanced data set is cut down to a long-tailed one.

use serde::{Deserialize, Serialize};

use super::Mt19937;

/// How the number of samples falls off from class to class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// nₖ = n_max ratio^(−k / (K − 1)).
    Exponential,
    /// The first half of the classes has n_max samples each, the second n_max / ratio.
    Step,
}

/// Rule for the class counts of a long-tailed data set; class 0 is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongTail {
    /// Shape of the tail.
    pub profile: Profile,
    /// Imbalance ratio max n / min n, at least 1.
    pub imbalance_ratio: f64,
}

impl LongTail {
    /// Samples of each class, `[K]`, truncated towards zero as in all published code but EWB-FDR's.
    pub fn counts(&self, n_max: usize, n_classes: usize) -> Vec<usize> {
        self.real_counts(n_max, n_classes).into_iter().map(|n| n as usize).collect()
    }

    /// The same, rounded half to even, as in EWB-FDR.
    pub fn rounded_counts(&self, n_max: usize, n_classes: usize) -> Vec<usize> {
        let counts = self.real_counts(n_max, n_classes);
        counts.into_iter().map(|n| n.round_ties_even() as usize).collect()
    }

    fn real_counts(&self, n_max: usize, n_classes: usize) -> Vec<f64> {
        // Published code computes 1 / ratio first, and the last digit can decide a truncation.
        let factor = 1.0 / self.imbalance_ratio;
        let last = n_classes as f64 - 1.0;
        (0..n_classes)
            .map(|k| match self.profile {
                Profile::Exponential => n_max as f64 * factor.powf(k as f64 / last),
                Profile::Step if k < n_classes / 2 => n_max as f64,
                Profile::Step => n_max as f64 * factor,
            })
            .collect()
    }
}

/// Which samples of a class are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// The first n in file order (LTWB, LOS).
    FirstN,
    /// The first n after `np.random.shuffle`, with one generator, seeded by
    /// `np.random.seed(seed)`, for all classes in order (LDAM-DRW and most others, with seed 0).
    NumpyShuffle {
        /// Seed of numpy's legacy generator.
        seed: u32,
    },
}

/// The positions kept within each class, in the order selected: `counts[k]` of the
/// `available` samples that every class has.
pub fn kept_positions(kept: Kept, counts: &[usize], available: usize) -> Vec<Vec<usize>> {
    let mut rng = match kept {
        Kept::FirstN => None,
        Kept::NumpyShuffle { seed } => Some(Mt19937::new(seed)),
    };
    let positions = |&n: &usize| {
        let mut positions: Vec<usize> = (0..available).collect();
        if let Some(rng) = &mut rng {
            rng.shuffle(&mut positions);
        }
        positions.truncate(n);
        positions
    };
    counts.iter().map(positions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cifar_100_lt_at_ratio_100() {
        let rule = LongTail { profile: Profile::Exponential, imbalance_ratio: 100.0 };
        let counts = rule.counts(500, 100);
        assert_eq!((counts[0], counts[50], counts[99]), (500, 48, 5));
        assert_eq!(counts.iter().sum::<usize>(), 10_847);
        let step = LongTail { profile: Profile::Step, imbalance_ratio: 100.0 };
        assert_eq!(step.counts(500, 100).iter().sum::<usize>(), 25_250);
    }

    #[test]
    fn numpy_shuffles_ten_numbers_with_seed_0_like_this() {
        let mut items: Vec<usize> = (0..10).collect();
        Mt19937::new(0).shuffle(&mut items);
        assert_eq!(items, [2, 8, 4, 9, 1, 6, 7, 3, 0, 5]);
    }
}
