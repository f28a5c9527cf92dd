//! Batches, each packed once for all heads that see it.

use rayon::prelude::*;

use super::problem::Problem;
use super::seen::Seen;
use crate::error::Result;
use crate::kernels::{Packed, Unit};
use crate::losses::{Draw, Samples};
use crate::numbers::Real;

/// A few consecutive batches.
pub(super) struct Batches<R> {
    slots: Vec<Slot<R>>,
    used: usize,
}

struct Slot<R> {
    /// The samples before packing, `[B, D]`.
    gathered: Vec<R>,
    packed: Packed<R>,
    labels: Vec<u32>,
    weights: Vec<f64>,
    draw: Draw,
}

impl<R: Real> Batches<R> {
    /// Room for `n` batches of `dim` features.
    pub(super) fn new(dim: usize, unit: Option<Unit>, n: usize) -> Self {
        let slot = || Slot {
            gathered: vec![],
            packed: Packed::new(dim, unit),
            labels: vec![],
            weights: vec![],
            draw: Draw::default(),
        };
        Self { slots: std::iter::repeat_with(slot).take(n).collect(), used: 0 }
    }

    /// Maximum number of batches at a time.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Packs the samples `rows` of view number `view` into batches of `b`, at most
    /// [`Batches::len`] of them, over several threads if `split`; `draw` is of the first sample. Fails
    /// if reading a file fails.
    pub(super) fn pack(
        &mut self,
        seen: &Seen<'_, R>,
        view: usize,
        (rows, draw): (&[u32], Draw),
        b: usize,
        split: bool,
    ) -> Result<()> {
        let Problem { dim, labels, weights, .. } = seen.problem;
        let work = |(slot, rows): (&mut Slot<R>, &[u32])| {
            slot.labels.clear();
            slot.labels.extend(rows.iter().map(|&row| labels[row as usize]));
            slot.weights.clear();
            slot.weights.extend(rows.iter().map(|&row| weights[row as usize]));
            seen.gather(view, rows, &mut slot.gathered)?;
            slot.packed.pack(slot.gathered.chunks_exact(*dim));
            Ok(())
        };
        for (number, slot) in self.slots.iter_mut().enumerate() {
            slot.draw = draw.after(number * b);
        }
        let batches: Vec<&[u32]> = rows.chunks(b).collect();
        self.used = batches.len();
        let mut pairs = self.slots.iter_mut().zip(batches);
        if split {
            pairs.collect::<Vec<_>>().into_par_iter().try_for_each(work)
        } else {
            pairs.try_for_each(work)
        }
    }

    /// The batches packed last, with the class and the weight of each sample.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Packed<R>, Samples<'_>)> {
        self.slots[..self.used].iter().map(|slot| {
            let Slot { labels, weights, draw, .. } = slot;
            let samples = Samples { labels, weights, draw: *draw };
            (&slot.packed, samples)
        })
    }
}
