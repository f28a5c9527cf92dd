//! Hits of many heads on one set.

use rayon::prelude::*;

use super::finish::write_head;
use super::problem::{ScoredSet, Seen};
use crate::head::Head;
use crate::kernels::{BLOCK, Columns, Rows, Samples, vectorised, zeros};
use crate::lanes::any;
use crate::real::Real;

/// Samples of each class that a head got right, by half of the set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hits {
    /// `[K]` for each half; the second is empty where the set is not halved.
    pub by_half: [Vec<u32>; 2],
}

impl Hits {
    /// Over both halves, `[K]`.
    pub fn total(&self) -> Vec<u32> {
        let [a, b] = &self.by_half;
        a.iter().enumerate().map(|(k, n)| n + b.get(k).copied().unwrap_or(0)).collect()
    }
}

/// Samples scored at once.
const ROWS: usize = 64;

/// Hits of `n_heads` heads side by side on a set, packed as `samples`. A sample counts for the
/// class with the largest logit, the first of equals.
pub(super) fn hits<R: Real>(
    set: &ScoredSet<'_, R>,
    samples: &Samples<R>,
    folds: &[u8],
    heads: &Columns<R>,
    n_heads: usize,
    k: usize,
) -> Vec<Hits> {
    let pitch = heads.panels.columns;
    let halves = if set.halves { [k, k] } else { [k, 0] };
    let mut hits = vec![Hits { by_half: halves.map(|n| vec![0; n]) }; n_heads];
    let mut z = zeros(ROWS * pitch);
    for (block, labels) in set.labels.chunks(ROWS).enumerate() {
        let rows = labels.len().next_multiple_of(BLOCK);
        let out = Rows { values: &mut z[..rows * pitch], pitch };
        heads.multiply(out, samples, block * ROWS);
        vectorised(
            #[inline(always)]
            || {
                for (i, (row, &label)) in z.chunks_exact(pitch).zip(labels).enumerate() {
                    let half = if set.halves { usize::from(folds[block * ROWS + i]) } else { 0 };
                    for (logits, hits) in row.chunks_exact(k).zip(&mut hits) {
                        let label = label as usize;
                        hits.by_half[half][label] += u32::from(is_hit(logits, label));
                    }
                }
            },
        );
    }
    hits
}

/// Hits of finished heads on every scored set; `folds[h][s]` are the halves of set s for head h.
pub(super) fn score_heads<R: Real>(
    seen: &Seen<'_, R>,
    heads: &[Head],
    folds: &[Vec<Vec<u8>>],
) -> Vec<Vec<Hits>> {
    let k = seen.problem.counts.n_classes();
    let score = |(head, folds): (&Head, &Vec<Vec<u8>>)| -> Vec<Hits> {
        let mut columns = Columns::new(seen.problem.dim, k);
        let Columns { panels, value, bias, .. } = &mut columns;
        write_head(*panels, (value, bias), 0, &head.weight, &head.bias);
        columns.changed();
        let sets = seen.problem.scored.iter().zip(&seen.scored).zip(folds);
        sets.flat_map(|((set, samples), folds)| hits(set, samples, folds, &columns, 1, k)).collect()
    };
    heads.par_iter().zip(folds).map(score).collect()
}

/// Whether `label` has the first of the largest logits; NaN is never larger, and never a hit.
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
    use std::borrow::Cow;

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_wrong() {
        let features = [1.0_f64, 0.0, 0.0, 1.0, f64::NAN, 0.0];
        let labels = [0, 0, 1];
        let samples = Samples::new(&features, 2);
        let features = Cow::Borrowed(&features[..]);
        let set = ScoredSet { features, mirror: None, labels: &labels, halves: true };
        // Two heads of two classes: the first always ties, the second is the identity.
        let mut heads = Columns::new(2, 4);
        let panels = heads.panels;
        heads.value[panels.at(0, 2)] = 1.0;
        heads.value[panels.at(1, 3)] = 1.0;
        let hits = hits(&set, &samples, &[0, 1, 1], &heads, 2, 2);
        assert_eq!(hits[0].by_half, [vec![1, 0], vec![1, 0]]);
        assert_eq!(hits[1].total(), [1, 0]);
    }
}
