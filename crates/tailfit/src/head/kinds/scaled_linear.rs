use super::{Gradient, Head, HeadKind, Kind, Layout, Params, Rules, Trained, linear};
use crate::error::{Error, Result};
use crate::kernels::{Packed, Steps, column_sums, scale_columns};
use crate::numbers::Real;

pub(super) const RULES: Rules =
    Rules { name: "scaled-linear", check, ..linear::RULES };

fn check(kind: HeadKind) -> Result<()> {
    let rate = rate(kind);
    if rate.is_finite() && rate >= 0.0 {
        return Ok(());
    }
    Err(Error::usage("head.scaled-linear.rate", "a finite number >= 0", rate, ""))
}

fn rate(kind: HeadKind) -> f64 {
    if let HeadKind::ScaledLinear { rate } = kind { rate } else { 1.0 }
}

/// Training state: the scales c, `[C]`, and the rate of each head.
pub(super) struct Training<R> {
    scale: Params<R>,
    rates: Vec<f64>,
    n_classes: usize,
    /// Scratch memory.
    sums: Vec<R>,
    lr: Vec<R>,
}

impl<R: Real> Training<R> {
    pub(super) fn new(kinds: &[HeadKind], Layout { n_classes, panels, .. }: Layout) -> Self {
        let columns = panels.columns;
        let rates = kinds.iter().map(|&kind| rate(kind)).collect();
        let [sums, lr] = [(); 2].map(|()| vec![R::ZERO; columns]);
        Self { scale: Params::new(R::ONE, columns), rates, n_classes, sums, lr }
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn forward(&self, _batch: (&Packed<R>, usize), z: &mut [R], kept: &mut [R]) {
        kept.copy_from_slice(z);
        scale_columns(z, &self.scale.value);
    }

    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        let Trained { weights, bias, rates } = trained;
        column_sums(&mut self.sums, gradient.z, Some(&*gradient.kept));
        scale_columns(gradient.z, &self.scale.value);
        self.scale.descend(&self.sums, &rates.steps(&rates.decay));
        let last = self.rates.len() - 1;
        for (column, (slow, lr)) in self.lr.iter_mut().zip(&rates.lr).enumerate() {
            *slow = *lr * R::from_f64(self.rates[(column / self.n_classes).min(last)]);
        }
        let steps = |decay| Steps { lr: &self.lr, ..rates.steps(decay) };
        gradient.step_bias(bias, &steps(&rates.bias_decay));
        gradient.step_weights(weights, &steps(&rates.decay));
    }

    fn fold(&self, h: usize, head: &mut Head) {
        let scales = &self.scale.value[h * self.n_classes..];
        for (class, mut row) in head.weight.rows_mut().into_iter().enumerate() {
            let scale = scales[class].to_f64();
            row.mapv_inplace(|w| w * scale);
            head.bias[class] *= scale;
        }
    }
}
