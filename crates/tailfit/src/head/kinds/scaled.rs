use super::{Gradient, Head, HeadKind, Kind, Layout, Params, Rules, Start, Trained, linear};
use crate::kernels::{Packed, column_sums, scale_columns};
use crate::numbers::Real;

pub(super) const RULES: Rules = Rules {
    name: "scaled",
    normalises_features: false,
    has_gate: false,
    starts: (&[Start::Stage1], "`stage-1`, whose weights a scaled head keeps"),
    random: linear::random,
    check: |_| Ok(()),
};

/// Training state: the scales c, `[C]`.
pub(super) struct Training<R> {
    scale: Params<R>,
    n_classes: usize,
    /// Scratch memory.
    sums: Vec<R>,
}

impl<R: Real> Training<R> {
    pub(super) fn new(_kinds: &[HeadKind], Layout { n_classes, panels, .. }: Layout) -> Self {
        let columns = panels.columns;
        Self { scale: Params::new(R::ONE, columns), n_classes, sums: vec![R::ZERO; columns] }
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn forward(&self, _batch: (&Packed<R>, usize), z: &mut [R], kept: &mut [R]) {
        kept.copy_from_slice(z);
        scale_columns(z, &self.scale.value);
    }

    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        column_sums(&mut self.sums, gradient.z, Some(&*gradient.kept));
        self.scale.descend(&self.sums, &trained.rates.steps(&trained.rates.decay));
    }

    fn fold(&self, h: usize, head: &mut Head) {
        for (class, mut row) in head.weight.rows_mut().into_iter().enumerate() {
            let factor = self.scale.value[h * self.n_classes + class].to_f64();
            row.mapv_inplace(|w| w * factor);
            head.bias[class] *= factor;
        }
    }
}
