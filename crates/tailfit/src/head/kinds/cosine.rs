use super::{Gradient, Head, HeadKind, Kind, Layout, Rules, Start, Trained, draw};
use crate::error::{Error, Result};
use crate::head::normalise_rows;
use crate::kernels::{Packed, Weights, column_norms, column_sums, scale_columns};
use crate::numbers::Real;
use crate::rng::Rng;

pub(super) const RULES: Rules = Rules {
    name: "cosine",
    normalises_features: true,
    has_gate: false,
    // A zero vector has no direction.
    starts: (
        &[Start::Stage1, Start::ClassMeans, Start::ClassVectors, Start::Random],
        "`stage-1`, `class-means`, `class-vectors` or `random` for a cosine head",
    ),
    random,
    check,
};

/// Rows of norm 1 in random directions.
fn random(rng: &mut Rng, head: &mut Head) {
    draw(&mut head.weight, 1.0, rng);
    normalise_rows(&mut head.weight);
}

fn check(kind: HeadKind) -> Result<()> {
    let scale = scale(kind);
    if scale.is_finite() && scale > 0.0 {
        return Ok(());
    }
    Err(Error::usage("head.cosine.scale", "a finite number > 0", scale, ""))
}

fn scale(kind: HeadKind) -> f64 {
    if let HeadKind::Cosine { scale } = kind { scale } else { 1.0 }
}

/// Training state: the scale s of each head, and ‖w‖ of each column.
pub(super) struct Training<R> {
    scales: Vec<f64>,
    n_classes: usize,
    norms: Vec<R>,
    /// s / ‖w‖, per column.
    factor: Vec<R>,
    /// Scratch memory.
    decay: Vec<R>,
    sums: Vec<R>,
}

impl<R: Real> Training<R> {
    pub(super) fn new(kinds: &[HeadKind], Layout { n_classes, panels, .. }: Layout) -> Self {
        let columns = panels.columns;
        let zeros = || vec![R::ZERO; columns];
        let scales = kinds.iter().map(|&kind| scale(kind)).collect();
        let [norms, factor, decay, sums] = [(); 4].map(|()| zeros());
        Self { scales, n_classes, norms, factor, decay, sums }
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn start(&mut self, head: &mut Head) {
        head.bias.fill(0.0);
    }

    fn prepare(&mut self, weights: &Weights<R>) {
        column_norms(&mut self.norms, weights);
        let last = self.scales.len() - 1;
        for (column, (norm, factor)) in self.norms.iter_mut().zip(&mut self.factor).enumerate() {
            *norm = norm.larger(R::from_f64(1e-12));
            let scale = self.scales[(column / self.n_classes).min(last)];
            *factor = R::from_f64(scale) / *norm;
        }
    }

    fn forward(&self, _batch: (&Packed<R>, usize), z: &mut [R], kept: &mut [R]) {
        scale_columns(z, &self.factor);
        kept.copy_from_slice(z);
    }

    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        // dL/dw = (s/‖w‖) Σ g f̂ − (Σ g z / ‖w‖²) w; the second term acts as a decay.
        column_sums(&mut self.sums, gradient.z, Some(&*gradient.kept));
        for (k, decay) in self.decay.iter_mut().enumerate() {
            *decay = trained.rates.decay[k] - self.sums[k] / (self.norms[k] * self.norms[k]);
        }
        scale_columns(gradient.z, &self.factor);
        gradient.step_weights(&mut trained.weights, &trained.rates.steps(&self.decay));
    }

    fn fold(&self, h: usize, head: &mut Head) {
        normalise_rows(&mut head.weight);
        head.weight *= self.scales[h];
        head.normalise_features = true;
    }
}
