//! Random numbers as a function of (seed, purpose, index): there is no state to save or
//! restore, and the order of calls does not matter.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};

/// What the numbers are for; each purpose has its own stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Order of the training samples in an epoch.
    Order = 1,
    /// Initial weights of a head.
    Start = 2,
    /// Halves of a scored set, for cross-fitting.
    Folds = 3,
    /// Initial weights of a network; the index is that of the parameter.
    Weights = 4,
    /// Augmentation of an image; the index encodes the epoch and the image's place in it.
    Augmentation = 5,
    /// Which samples of a class are held out; the index is the class.
    HoldOut = 6,
    /// Test samples and seeds of a bootstrap resample; its number is the seed.
    Bootstrap = 7,
    /// Noise of a loss; the index encodes the epoch and the sample's place in it.
    Loss = 8,
    /// Noise of a sampler that learns; the index encodes the epoch and the sample's place in it.
    Sampler = 9,
}

/// A ChaCha8 stream keyed by (seed, purpose, index).
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` for `purpose`, number `index` (such as the epoch).
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(purpose as u64).to_le_bytes());
        key[16..24].copy_from_slice(&index.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// A uniform integer below `n`, without bias (Lemire's multiply and reject).
    ///
    /// # Panics
    ///
    /// If `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "no integer is below 0");
        let n = n as u64;
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as usize;
            }
        }
    }

    /// A uniform number in `[0, 1)` with 53 random bits.
    pub fn uniform(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 * (0.5_f64).powi(53)
    }

    /// A uniform number strictly between 0 and 1, of 32 random bits.
    pub(crate) fn between(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) * (0.5_f64).powi(32)
    }

    /// A standard normal number (the first of a Box-Muller pair).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (2.0 * std::f64::consts::PI * self.uniform()).cos()
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_is_a_permutation_and_repeats() {
        let shuffled = |seed| {
            let mut items: Vec<usize> = (0..100).collect();
            Rng::new(seed, Purpose::Order, 3).shuffle(&mut items);
            items
        };
        let mut sorted = shuffled(0);
        assert_eq!(shuffled(0), sorted);
        assert_ne!(shuffled(1), sorted);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn normal_numbers_have_mean_0_variance_1_and_kurtosis_3() {
        let mut rng = Rng::new(1, Purpose::Weights, 0);
        let values: Vec<f64> = (0..40_000).map(|_| rng.normal()).collect();
        let moment = |power| values.iter().map(|v| v.powi(power)).sum::<f64>() / 40_000.0;
        assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03, "{}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.2, "{}", moment(4));
    }

    #[test]
    fn every_value_below_n_comes_up_about_equally_often() {
        let mut rng = Rng::new(7, Purpose::Folds, 0);
        let mut counts = [0_usize; 3];
        for _ in 0..30_000 {
            counts[rng.below(3)] += 1;
        }
        assert!(counts.iter().all(|&c| c.abs_diff(10_000) < 400), "{counts:?}");
    }
}
