//! Hits of many heads on one set.

use super::problem::ScoredSet;
use crate::kernels::{product, vectorised};
use crate::lanes::max_by;
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

/// Rows scored at once.
const BLOCK: usize = 64;

/// Hits of `n_heads` heads side by side (`w [D, C]`, `b [C]`). A sample counts for the
/// class with the largest logit, the first of equals.
pub(super) fn hits<R: Real>(
    set: &ScoredSet<'_, R>,
    folds: &[u8],
    (w, b): (&[R], &[R]),
    n_heads: usize,
    dim: usize,
) -> Vec<Hits> {
    let c = b.len();
    let k = c / n_heads;
    let halves = if set.halves { [k, k] } else { [k, 0] };
    let mut hits = vec![Hits { by_half: halves.map(|n| vec![0; n]) }; n_heads];
    let mut z = Vec::new();
    for (block, x) in set.features.chunks(BLOCK * dim).enumerate() {
        let rows = x.len() / dim;
        z.resize(rows * c, R::ZERO);
        product(&mut z, x, w, rows, dim, c);
        for (i, row) in z.chunks_exact(c).enumerate() {
            let sample = block * BLOCK + i;
            let label = set.labels[sample] as usize;
            let half = if set.halves { usize::from(folds[sample]) } else { 0 };
            vectorised(
                #[inline(always)]
                || {
                    let heads = row.chunks_exact(k).zip(b.chunks_exact(k));
                    for ((logits, bias), hits) in heads.zip(&mut hits) {
                        hits.by_half[half][label] += u32::from(is_hit(logits, bias, label));
                    }
                },
            );
        }
    }
    hits
}

/// Whether `label` has the first of the largest logits, after adding the bias.
#[inline(always)]
fn is_hit<R: Real>(logits: &[R], bias: &[R], label: usize) -> bool {
    let best = max_by(
        logits,
        bias,
        #[inline(always)]
        |logit, bias| logit + bias,
    );
    let before = logits[..label].iter().zip(&bias[..label]);
    // Counted without stopping early, which vectorises.
    let ties = before.map(|(&logit, &bias)| usize::from(logit + bias == best)).sum::<usize>();
    logits[label] + bias[label] == best && ties == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_wrong() {
        let features = [1.0_f64, 0.0, 0.0, 1.0, f64::NAN, 0.0];
        let labels = [0, 0, 1];
        let features = Cow::Borrowed(&features[..]);
        let set = ScoredSet { features, mirror: None, labels: &labels, halves: true };
        // Two heads of two classes: the first always ties, the second is the identity.
        let w = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0];
        let hits = hits(&set, &[0, 1, 1], (&w, &[0.0; 4]), 2, 2);
        assert_eq!(hits[0].by_half, [vec![1, 0], vec![1, 0]]);
        assert_eq!(hits[1].total(), [1, 0]);
    }
}
