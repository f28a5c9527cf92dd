//! Which samples heads get right: the one scorer behind both training and evaluation.

use ndarray::{Array1, Array2};

use super::{ClassTally, EvaluationSet};
use crate::head::Head;
use crate::kernels::{BLOCK, Rows, ScoringColumns, ScoringRows, vectorised, zeros};
use crate::numbers::{Real, any};

/// Samples scored at a time.
const ROWS: usize = 64;

/// Calls `each` with the row, the head and whether the head gets the row right, for heads of `k`
/// classes side by side. The prediction is the class with the largest logit; ties go to the first.
#[inline(always)]
fn each_hit<R: Real>(
    rows: &ScoringRows<R>,
    labels: &[u32],
    heads: &ScoringColumns<R>,
    k: usize,
    mut each: impl FnMut(usize, usize, bool),
) {
    let pitch = heads.panels.columns;
    let mut z = zeros(ROWS * pitch);
    let bias = heads.bias_for(rows);
    for (block, labels) in labels.chunks(ROWS).enumerate() {
        let padded = labels.len().next_multiple_of(BLOCK);
        let out = Rows { values: &mut z[..padded * pitch], pitch };
        heads.multiply(out, rows, block * ROWS, &bias);
        vectorised(
            #[inline(always)]
            || {
                for (i, (row, &label)) in z.chunks_exact(pitch).zip(labels).enumerate() {
                    for (h, logits) in row.chunks_exact(k).enumerate() {
                        each(block * ROWS + i, h, is_hit(logits, label as usize));
                    }
                }
            },
        );
    }
}

/// Hits of `n_heads` heads side by side, per class and half.
pub(crate) fn hits<R: Real>(
    rows: &ScoringRows<R>,
    (labels, halves): (&[u32], &[u8]),
    heads: &ScoringColumns<R>,
    (n_heads, k): (usize, usize),
) -> Vec<ClassTally> {
    let mut hits = vec![ClassTally::new(k); n_heads];
    each_hit(rows, labels, heads, k, |row, h, is_hit| {
        if let Some(hits) = hits.get_mut(h) {
            hits.add(labels[row], halves[row], is_hit);
        }
    });
    hits
}

/// Whether a head gets each sample of a set right, `[N]`; in single precision, as in training.
pub(super) fn hits_of(head: &Head, set: &EvaluationSet<'_>) -> Vec<bool> {
    let (k, dim) = (head.n_classes(), head.dim());
    let flat =
        |array: ndarray::ArrayView2<'_, f32>| -> Vec<f32> { array.iter().copied().collect() };
    let (features, mirror) = (flat(set.features), set.mirror.map(flat));
    let rows = ScoringRows::new(&features, mirror.as_deref(), dim, head.normalise_features);
    let columns = columns_of(head);
    let mut right = vec![false; set.labels.len()];
    each_hit(&rows, set.labels, &columns, k, |row, h, is_hit| {
        if h == 0 {
            right[row] = is_hit;
        }
    });
    right
}

/// One head, ready to score.
pub(crate) fn columns_of<R: Real>(head: &Head) -> ScoringColumns<R> {
    let mut columns = ScoringColumns::new(head.dim(), head.n_classes());
    write_head(&mut columns, 0, &head.weight, &head.bias);
    columns.changed();
    columns
}

/// Writes a head into place `h` among others.
pub(crate) fn write_head<R: Real>(
    columns: &mut ScoringColumns<R>,
    h: usize,
    weight: &Array2<f64>,
    bias: &Array1<f64>,
) {
    let ScoringColumns { panels, value, bias: biases, .. } = columns;
    panels.write(value, h * weight.nrows(), weight);
    for (class, &value) in bias.iter().enumerate() {
        biases[h * weight.nrows() + class] = R::from_f64(value);
    }
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

    #[test]
    fn ties_go_to_the_first_class_and_nan_is_wrong() {
        let features = [1.0_f64, 0.0, 0.0, 1.0, f64::NAN, 0.0];
        let labels = [0, 0, 1];
        let rows = ScoringRows::new(&features, None, 2, false);
        // Two heads of two classes: the first always ties, the second is the identity.
        let mut heads = ScoringColumns::new(2, 4);
        let panels = heads.panels;
        heads.value[panels.at(0, 2)] = 1.0;
        heads.value[panels.at(1, 3)] = 1.0;
        let hits = hits(&rows, (&labels, &[0, 1, 1]), &heads, (2, 2));
        assert_eq!(hits[0].in_part(TestPart::HalfA), [1, 0]);
        assert_eq!(hits[0].in_part(TestPart::HalfB), [1, 0]);
        assert_eq!(hits[1].in_part(TestPart::All), [1, 0]);
    }
}
