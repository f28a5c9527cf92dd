//! The cost of a sample, shared by both stages.

use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::losses::{AnyLoss, ClassWeights, CrossEntropy, Mean, Objective};

/// What a sample costs in training, for a head or a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Loss of one sample.
    pub loss: AnyLoss,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// What a weighted batch is divided by.
    pub mean: Mean,
    /// First epoch (from 0) in which the class weights apply; before it they are 1. This is the
    /// deferred re-weighting (DRW) of Cao et al., NeurIPS 2019.
    pub defer_weights_to_epoch: usize,
}

impl Cost {
    /// Cross-entropy without class weights.
    pub const PLAIN: Self = Self {
        loss: AnyLoss::CrossEntropy(CrossEntropy {}),
        class_weights: ClassWeights::Uniform,
        mean: Mean::ByBatch,
        defer_weights_to_epoch: 0,
    };

    /// The class weights that apply in `epoch` (from 0).
    pub fn class_weights_of(&self, epoch: usize) -> ClassWeights {
        if epoch < self.defer_weights_to_epoch { ClassWeights::Uniform } else { self.class_weights }
    }

    /// The objective for batches of `epoch` (from 0).
    pub fn objective(&self, epoch: usize, counts: &ClassCounts) -> Objective {
        Objective::new(self.loss, self.class_weights_of(epoch), self.mean, counts)
    }

    /// Checks the ranges of all numbers.
    ///
    /// # Errors
    ///
    /// If a number is out of range; the message names the key, its range and the value.
    pub fn check(&self) -> Result<()> {
        self.loss.check()?;
        self.class_weights.check()
    }
}
