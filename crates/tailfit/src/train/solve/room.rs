//! Where a pass puts what it works on.

use super::shared::ROWS;
use crate::kernels::{Aligned, Packed, zeros};
use crate::numbers::Real;

/// Room for a batch that is not kept.
pub(super) struct Room<R> {
    pub(super) packed: Option<Packed<R>>,
    pub(super) gathered: Vec<R>,
}

impl<R> Default for Room<R> {
    fn default() -> Self {
        Self { packed: None, gathered: Vec::new() }
    }
}

/// Logits of a group's batches, or room for one batch where all would be too many.
pub(super) struct Logits<R> {
    values: Aligned<R>,
    pub(super) all: bool,
}

impl<R: Real> Logits<R> {
    pub(super) fn new(batches: usize, columns: usize, all: bool) -> Self {
        let batches = if all { batches } else { 1 };
        Self { values: zeros(batches * ROWS * columns), all }
    }

    /// Those of the group's batch number `at`.
    pub(super) fn of(&mut self, at: usize, columns: usize) -> &mut [R] {
        let size = ROWS * columns;
        let at = if self.all { at } else { 0 };
        &mut self.values[at * size..][..size]
    }
}
