//! The weights of many heads with their velocity, and the step that updates them.

use rayon::prelude::*;

use super::bf16::{self, PairPanels};
use super::block::Unit;
use super::packed::{Packed, Values};
use super::panels::{Aligned, PANEL, Panels, zeros};
use super::tiles::{Descend, Forward, Rows};
use super::update::Steps;
use crate::numbers::Real;

/// Weights `[D, C]` in panels.
pub(crate) struct Weights<R> {
    pub panels: Panels,
    /// Whoever changes it must call [`Weights::changed`] afterwards.
    pub value: Aligned<R>,
    /// Velocity, or a sum of gradients (see [`Weights::add_gradient`]).
    pub velocity: Aligned<R>,
    /// A bf16 copy, two rows to a pair, and the unit that multiplies it.
    pairs: Option<(Unit, Aligned<u32>)>,
}

/// One panel of everything that a step writes.
struct Panel<'a, R> {
    first: usize,
    value: &'a mut [R],
    velocity: &'a mut [R],
    pairs: &'a mut [u32],
}

impl<R: Real> Weights<R> {
    pub(crate) fn new(panels: Panels, unit: Option<Unit>) -> Self {
        let n = panels.len();
        let pairs = unit.map(|unit| (unit, zeros(n / 2)));
        Self { panels, value: zeros(n), velocity: zeros(n), pairs }
    }

    /// Brings the bf16 copy up to date.
    pub(crate) fn changed(&mut self) {
        let Some((_, pairs)) = &mut self.pairs else { return };
        let (from, panels) = (R::as_f32(&self.value), self.panels);
        pulp::Arch::new().dispatch(PairPanels { from, to: pairs, panels, split: false });
    }

    /// `out = x W + bias` for samples `from..` of the batch, as many as `out` has rows. `from`
    /// and the number of rows are multiples of 8, or of 16 in bf16.
    pub(crate) fn forward(&self, out: Rows<'_, R>, batch: &Packed<R>, from: usize, bias: &[R]) {
        let (depth, rows) = (batch.depth, out.values.len() / out.pitch);
        match (&batch.values, &self.pairs) {
            (Values::Full(x), _) => {
                let x = &x[from * depth..][..rows * depth];
                let w = &self.value;
                let work = Forward { out, x, w, bias, panels: self.panels };
                pulp::Arch::new().dispatch(work);
            }
            (Values::Half { rows: x, .. }, Some((unit, pairs))) => {
                let x = &x[from * depth..][..rows * depth];
                let out = Rows { values: R::as_f32_mut(out.values), pitch: out.pitch };
                let bias = R::as_f32(bias);
                bf16::forward(*unit, out, x, pairs, bias, self.panels);
            }
            (Values::Half { .. }, None) => unreachable!("a bf16 batch with full-precision weights"),
        }
    }

    /// Adds `xᵀ g` to [`Weights::velocity`]: a step with momentum 1 and learning rate 0.
    pub(crate) fn add_gradient(&mut self, g: &[R], pitch: usize, batch: &Packed<R>, split: bool) {
        let zero = vec![R::ZERO; self.panels.columns];
        let one = vec![R::ONE; self.panels.columns];
        let steps = Steps { lr: &zero, decay: &zero, momentum: &one, nesterov: false };
        self.descend(g, pitch, batch, &steps, split);
    }

    /// One step of all weights along the gradient `xᵀ g`; `g [B, C]` has the given `pitch`.
    pub(crate) fn descend(
        &mut self,
        g: &[R],
        pitch: usize,
        batch: &Packed<R>,
        steps: &Steps<'_, R>,
        split: bool,
    ) {
        let depth = self.panels.depth;
        let mut none = zeros(0);
        let (unit, pairs) = match &mut self.pairs {
            Some((unit, pairs)) => (Some(*unit), pairs),
            None => (None, &mut none),
        };
        let values = self.value.chunks_mut(PANEL * depth);
        let velocities = self.velocity.chunks_mut(PANEL * depth);
        let mut pairs = pairs.chunks_mut(PANEL * depth / 2);
        let parts = values.zip(velocities).enumerate().map(|(number, (value, velocity))| {
            let pairs = pairs.next().unwrap_or_default();
            Panel { first: number * PANEL, value, velocity, pairs }
        });
        let g = &g[..batch.padded * pitch];
        let work = |scratch: &mut Scratch<R>, part: Panel<'_, R>| {
            part.descend(scratch, (g, pitch), batch, steps, unit);
        };
        if split {
            let parts: Vec<_> = parts.collect();
            parts.into_par_iter().for_each_init(Scratch::default, work);
        } else {
            let mut scratch = Scratch::default();
            parts.for_each(|part| work(&mut scratch, part));
        }
    }
}

/// Room for a panel's share of the logits' gradient.
#[derive(Default)]
struct Scratch<R> {
    full: Vec<R>,
    pairs: Vec<u32>,
}

impl<R: Real> Panel<'_, R> {
    fn descend(
        self,
        scratch: &mut Scratch<R>,
        (g, pitch): (&[R], usize),
        batch: &Packed<R>,
        steps: &Steps<'_, R>,
        unit: Option<Unit>,
    ) {
        let Self { first, value, velocity, pairs } = self;
        let columns = first..first + value.len() / batch.depth;
        let steps = steps.of(columns.clone());
        match &batch.values {
            Values::Full(x) => {
                scratch.full.clear();
                for row in g.chunks_exact(pitch) {
                    scratch.full.extend_from_slice(&row[columns.clone()]);
                }
                let g = &scratch.full;
                pulp::Arch::new().dispatch(Descend { value, velocity, x, g, steps });
            }
            Values::Half { columns: x, .. } => {
                pulp::Arch::new().dispatch(bf16::Descend {
                    unit: unit.expect("a bf16 batch comes with bf16 weights"),
                    value: R::as_f32_mut(value),
                    velocity: R::as_f32_mut(velocity),
                    pairs,
                    x,
                    g: R::as_f32(g),
                    pitch,
                    first,
                    scratch: &mut scratch.pairs,
                    steps: steps.as_f32(),
                });
            }
        }
    }
}
