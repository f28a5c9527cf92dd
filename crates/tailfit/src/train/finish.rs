//! From a stack's columns to heads that can be used.

use ndarray::{Array1, Array2};

use super::stack::Stack;
use crate::head::{Head, HeadKind};
use crate::kernels::{Columns, Panels, Weights};
use crate::real::Real;

impl<R: Real> Stack<'_, R> {
    /// Head h as it would be used now: folded, normalised and adjusted.
    pub(super) fn finished(&self, h: usize) -> Head {
        let k = self.n_classes();
        let Weights { panels, value, .. } = &self.weights;
        let at = |row: usize, class: usize| value[panels.at(row, h * k + class)].to_f64();
        let weight = Array2::from_shape_fn((k, self.problem.dim), |(class, row)| at(row, class));
        let bias = Array1::from_shape_fn(k, |class| self.bias.value[h * k + class].to_f64());
        let mut head = Head { weight, bias, normalise_features: false };
        match self.trials[h].recipe.head {
            HeadKind::Linear => {}
            HeadKind::Cosine { scale } => {
                crate::head::normalise_rows(&mut head.weight);
                head.weight *= scale;
                head.normalise_features = true;
            }
            HeadKind::Scaled => {
                for class in 0..k {
                    let factor = self.scale.value[h * k + class].to_f64();
                    head.weight.row_mut(class).mapv_inplace(|w| w * factor);
                    head.bias[class] *= factor;
                }
            }
        }
        self.trials[h].recipe.finish(&mut head, self.problem.counts);
        head
    }

    /// Writes the finished heads side by side, for scoring.
    pub(super) fn finish(&mut self) {
        for h in 0..self.trials.len() {
            let head = self.finished(h);
            let Columns { panels, value, bias, .. } = &mut self.scored;
            write_head(*panels, (value, bias), h, &head.weight, &head.bias);
        }
        self.scored.changed();
    }
}

/// Writes head h into panels and `[C]`.
pub(super) fn write_head<R: Real>(
    panels: Panels,
    (w, b): (&mut [R], &mut [R]),
    h: usize,
    weight: &Array2<f64>,
    bias: &Array1<f64>,
) {
    let k = weight.nrows();
    for ((class, row), &value) in weight.indexed_iter() {
        w[panels.at(row, h * k + class)] = R::from_f64(value);
    }
    for (class, &value) in bias.iter().enumerate() {
        b[h * k + class] = R::from_f64(value);
    }
}
