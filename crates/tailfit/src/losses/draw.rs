//! Random numbers of losses that draw some.

use crate::rng::{Purpose, Rng};

/// Which random numbers a sample gets: those of `seed` number `index`. Neither depends on threads, nor
/// on what else is trained.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Draw {
    pub seed: u64,
    pub index: u64,
}

impl Draw {
    /// That of the sample `i` further on.
    pub(crate) fn after(self, i: usize) -> Self {
        Self { index: self.index + i as u64, ..self }
    }

    /// The sample's random numbers.
    pub(crate) fn rng(self) -> Rng {
        Rng::new(self.seed, Purpose::Loss, self.index)
    }
}
