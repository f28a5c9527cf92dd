//! Scratch of a step.

use crate::kernels::{Aligned, BLOCK, zeros};
use crate::real::Real;

/// Scratch of one batch, shared by stacks that take turns.
pub(super) struct Buffers<R> {
    /// Logits, then their gradient, `[B, C]`.
    pub(super) z: Aligned<R>,
    /// Logits before the loss, where the gradient needs them, `[B, C]`.
    pub(super) logits: Aligned<R>,
    /// Each block's share of each head's loss, `[B / 16, H]`.
    pub(super) losses: Vec<f64>,
    pub(super) sums: Vec<R>,
    pub(super) norms: Vec<R>,
    pub(super) factor: Vec<R>,
    pub(super) decay: Vec<R>,
}

impl<R: Real> Buffers<R> {
    pub(super) fn new() -> Self {
        let empty = Vec::new;
        let (sums, norms, factor, decay) = (empty(), empty(), empty(), empty());
        Self { z: zeros(0), logits: zeros(0), losses: vec![], sums, norms, factor, decay }
    }

    /// Fits a batch of `padded` samples for `h` heads in `c` columns.
    pub(super) fn resize(&mut self, padded: usize, c: usize, h: usize) {
        self.z.resize(padded * c, R::ZERO);
        self.logits.resize(padded * c, R::ZERO);
        self.losses.clear();
        self.losses.resize(padded.div_ceil(BLOCK) * h, 0.0);
        for values in [&mut self.sums, &mut self.norms, &mut self.factor, &mut self.decay] {
            values.resize(c, R::ZERO);
        }
    }
}
