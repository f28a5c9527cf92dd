//! Settings of stochastic gradient descent, the same for heads and networks.

use serde::{Deserialize, Serialize};

use super::Schedule;
use crate::error::{Error, Result};

const LARGEST_BATCH: usize = 1 << 24;
const MOST_EPOCHS: usize = 1_000_000;

/// Mini-batch SGD: batch size, learning rate, momentum and weight decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// Number of epochs, at most 10^6; 0 trains nothing.
    pub epochs: usize,
    /// Samples per batch, B, at most 2^24; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Base learning rate.
    pub lr: f64,
    /// How the learning rate changes over the epochs.
    pub schedule: Schedule,
    /// Momentum in PyTorch's form: v = momentum v + g, θ = θ − lr v.
    pub momentum: f64,
    /// Whether to use Nesterov momentum.
    pub nesterov: bool,
    /// Coupled L2 penalty: adds `weight_decay` θ to the gradient.
    pub weight_decay: f64,
}

impl Sgd {
    /// Learning rate in `epoch`, from 0.
    pub fn lr_of(&self, epoch: usize) -> f64 {
        self.lr * self.schedule.factor(epoch, self.epochs)
    }

    /// Checks the ranges of all numbers.
    ///
    /// # Errors
    ///
    /// If a number is out of range; the message names the key, its range and the value.
    pub fn check(&self) -> Result<()> {
        let range = |key: &str, ok: bool, expected: &str, found: &dyn std::fmt::Display| {
            if ok { Ok(()) } else { Err(Error::usage(key, expected, found, "")) }
        };
        let at_least_0 = |v: f64| v.is_finite() && v >= 0.0;
        range("lr", at_least_0(self.lr), "a finite number >= 0", &self.lr)?;
        let batch_ok = (1..=LARGEST_BATCH).contains(&self.batch_size);
        range("batch_size", batch_ok, "1 to 16777216", &self.batch_size)?;
        range("epochs", self.epochs <= MOST_EPOCHS, "at most 1000000", &self.epochs)?;
        let momentum_ok = (0.0..1.0).contains(&self.momentum);
        range("momentum", momentum_ok, "0 <= momentum < 1", &self.momentum)?;
        let decay_ok = at_least_0(self.weight_decay);
        range("weight_decay", decay_ok, "a finite number >= 0", &self.weight_decay)?;
        self.schedule.check()
    }
}
