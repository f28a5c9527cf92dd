//! Which samples heads get right: the one scorer behind both training and evaluation.

use std::borrow::Cow;

use ndarray::{Array1, ArrayView2, Axis};

use super::{ClassTally, EvaluationSet};
use crate::head::Head;
use crate::kernels::{BLOCK, Input, Rows, ScoringColumns, ScoringRows, vectorised, zeros};
use crate::numbers::{Real, any};

/// Samples scored at a time.
const ROWS: usize = 64;

/// Heads of one kind side by side, ready to score.
pub(crate) struct ScoredHeads<R> {
    columns: ScoringColumns<R>,
    n_heads: usize,
    n_classes: usize,
    /// α and β of each head's gate, `[H·K]`, if they have one; its v and u are column H·K + h.
    gates: Option<[Vec<R>; 2]>,
}

impl<R: Real> ScoredHeads<R> {
    /// Room for `n_heads` heads of `n_classes` classes, with gates or without.
    pub(crate) fn new(dim: usize, (n_heads, n_classes): (usize, usize), gated: bool) -> Self {
        let c = n_heads * n_classes;
        let columns = ScoringColumns::new(dim, if gated { c + n_heads } else { c });
        let gates = gated.then(|| [vec![R::ZERO; c], vec![R::ZERO; c]]);
        Self { columns, n_heads, n_classes, gates }
    }

    /// One head.
    pub(crate) fn of(head: &Head) -> Self {
        let mut heads = Self::new(head.dim(), (1, head.n_classes()), head.gate.is_some());
        heads.write(0, head);
        heads.changed();
        heads
    }

    /// Puts a head in place `h`. [`ScoredHeads::changed`] must be called afterwards.
    pub(crate) fn write(&mut self, h: usize, head: &Head) {
        let (k, ScoringColumns { panels, value, bias, .. }) = (self.n_classes, &mut self.columns);
        let narrow = |to: &mut [R], from: &Array1<f64>| {
            to.iter_mut().zip(from).for_each(|(to, &from)| *to = R::from_f64(from));
        };
        panels.write(value, h * k, &head.weight);
        narrow(&mut bias[h * k..], &head.bias);
        if let (Some([scale, shift]), Some(gate)) = (&mut self.gates, &head.gate) {
            let column = self.n_heads * k + h;
            panels.write(value, column, &gate.weight.view().insert_axis(Axis(0)).to_owned());
            bias[column] = R::from_f64(gate.bias);
            narrow(&mut scale[h * k..], &gate.scale);
            narrow(&mut shift[h * k..], &gate.shift);
        }
    }

    /// Brings everything up to date with the heads that were written.
    pub(crate) fn changed(&mut self) {
        self.columns.changed();
    }

    /// Adds what the gates add to the logits of some rows.
    #[inline(always)]
    fn open_gates(&self, z: &mut [R]) {
        let Some([scale, shift]) = &self.gates else { return };
        for row in z.chunks_exact_mut(self.columns.panels.columns) {
            let (row, gates) = row.split_at_mut(self.n_heads * self.n_classes);
            for (i, z) in row.iter_mut().enumerate() {
                let gate = gates[i / self.n_classes].logistic();
                *z = *z + gate * (scale[i] * *z + shift[i]);
            }
        }
    }
}

/// The samples to score: one packing for each of the views over which logits are averaged.
pub(crate) type Views<R> = Vec<ScoringRows<R>>;

/// Packs a set for heads without gates, which take both views in one, or with: a gate is not linear.
pub(crate) fn views<R: Real>(
    (features, mirror): (&[R], Option<&[R]>),
    dim: usize,
    input: Input<'_, R>,
    gated: bool,
) -> Views<R> {
    let Some(mirror) = mirror.filter(|_| gated) else {
        return vec![ScoringRows::new(features, mirror, dim, input)];
    };
    [features, mirror].map(|view| ScoringRows::new(view, None, dim, input)).into()
}

/// Calls `each` with the row, the head and whether the head gets the row right. The prediction is
/// the class with the largest logit; ties go to the first.
#[inline(always)]
fn each_hit<R: Real>(
    views: &[ScoringRows<R>],
    labels: &[u32],
    heads: &ScoredHeads<R>,
    mut each: impl FnMut(usize, usize, bool),
) {
    let pitch = heads.columns.panels.columns;
    let mut z = zeros(ROWS * pitch);
    let mut sum = zeros(if views.len() > 1 { z.len() } else { 0 });
    let biases: Vec<_> = views.iter().map(|rows| heads.columns.bias_for(rows)).collect();
    for (block, labels) in labels.chunks(ROWS).enumerate() {
        let padded = labels.len().next_multiple_of(BLOCK);
        sum.fill(R::ZERO);
        for (rows, bias) in views.iter().zip(&biases) {
            let out = Rows { values: &mut z[..padded * pitch], pitch };
            heads.columns.multiply(out, rows, block * ROWS, bias);
            vectorised(
                #[inline(always)]
                || {
                    heads.open_gates(&mut z[..padded * pitch]);
                    sum.iter_mut().zip(z.iter()).for_each(|(sum, &z)| *sum += z);
                },
            );
        }
        let logits = if views.len() > 1 { &sum } else { &z };
        vectorised(
            #[inline(always)]
            || {
                for (i, (row, &label)) in logits.chunks_exact(pitch).zip(labels).enumerate() {
                    let heads = row.chunks_exact(heads.n_classes).take(heads.n_heads);
                    for (h, logits) in heads.enumerate() {
                        each(block * ROWS + i, h, is_hit(logits, label as usize));
                    }
                }
            },
        );
    }
}

/// Hits of heads side by side, per class and half.
pub(crate) fn hits<R: Real>(
    views: &[ScoringRows<R>],
    (labels, halves): (&[u32], &[u8]),
    heads: &ScoredHeads<R>,
) -> Vec<ClassTally> {
    let mut hits = vec![ClassTally::new(heads.n_classes); heads.n_heads];
    each_hit(views, labels, heads, |row, h, is_hit| {
        hits[h].add(labels[row], halves[row], is_hit);
    });
    hits
}

/// Whether a head gets each sample of a set right, `[N]`; in single precision, as in training.
pub(super) fn hits_of(head: &Head, set: &EvaluationSet<'_>) -> Vec<bool> {
    let (features, mirror) = (flat(&set.features), set.mirror.as_ref().map(flat));
    let centre: Vec<f32> = head.centre.iter().flatten().map(|&centre| centre as f32).collect();
    let input =
        if head.normalise_features { Input::Normalised { centre: &centre } } else { Input::AsIs };
    let gated = head.gate.is_some();
    let views = views((&features, mirror.as_deref()), head.dim(), input, gated);
    let mut right = vec![false; set.labels.len()];
    each_hit(&views, set.labels, &ScoredHeads::of(head), |row, _, is_hit| right[row] = is_hit);
    right
}

/// The values row by row.
fn flat<'a>(array: &'a ArrayView2<'_, f32>) -> Cow<'a, [f32]> {
    let copied = || Cow::Owned(array.iter().copied().collect());
    array.as_slice().map_or_else(copied, Cow::Borrowed)
}

/// Whether `label` has the largest logit, the first of equals. NaN is never larger and never a hit.
#[inline(always)]
fn is_hit<R: Real>(logits: &[R], label: usize) -> bool {
    let own = logits[label];
    let lowest = R::from_f64(f64::NEG_INFINITY);
    own >= lowest
        && !any(
            logits,
            #[inline(always)]
            |z| z > own,
        )
        && !any(
            &logits[..label],
            #[inline(always)]
            |z| z == own,
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TestPart;
    use ndarray::Array2;

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_wrong() {
        let features = [1.0_f64, 0.0, 0.0, 1.0, f64::NAN, 0.0];
        let labels = [0, 0, 1];
        let views = views((&features, None), 2, Input::AsIs, false);
        // Two heads of two classes: the first always ties, the second is the identity.
        let mut heads = ScoredHeads::new(2, (2, 2), false);
        heads.write(1, &Head::linear(Array2::eye(2), Array1::zeros(2)));
        heads.changed();
        let hits = hits(&views, (&labels, &[0, 1, 1]), &heads);
        assert_eq!(hits[0].in_part(TestPart::HalfA), [1, 0]);
        assert_eq!(hits[0].in_part(TestPart::HalfB), [1, 0]);
        assert_eq!(hits[1].in_part(TestPart::All), [1, 0]);
    }
}
