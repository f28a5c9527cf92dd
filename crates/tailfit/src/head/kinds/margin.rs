use super::{Gradient, Head, HeadKind, Kind, Layout, Params, Rules, Start, Trained, linear};
use crate::kernels::{Packed, column_sums, scale_columns};
use crate::numbers::Real;

pub(super) const RULES: Rules = Rules {
    name: "margin",
    normalises_features: false,
    has_gate: false,
    starts: (&[Start::Stage1], "`stage-1`, whose weights a margin head keeps"),
    random: linear::random,
    check: |_| Ok(()),
};

/// Training state: ω and β, `[C]`.
pub(super) struct Training<R> {
    scale: Params<R>,
    shift: Params<R>,
    n_classes: usize,
    /// ‖w‖ of each column, which never changes.
    norms: Vec<R>,
    /// Scratch memory.
    sums: Vec<R>,
}

impl<R: Real> Training<R> {
    pub(super) fn new(_kinds: &[HeadKind], Layout { n_classes, panels, .. }: Layout) -> Self {
        let columns = panels.columns;
        Self {
            scale: Params::new(R::ONE, columns),
            shift: Params::new(R::ZERO, columns),
            n_classes,
            norms: Vec::with_capacity(columns),
            sums: vec![R::ZERO; columns],
        }
    }
}

impl<R: Real> Kind<R> for Training<R> {
    /// Called once for each head, in the order of their columns.
    fn start(&mut self, head: &mut Head) {
        self.norms.extend(head.weight_norms().into_iter().map(R::from_f64));
    }

    fn forward(&self, _batch: (&Packed<R>, usize), z: &mut [R], kept: &mut [R]) {
        kept.copy_from_slice(z);
        scale_columns(z, &self.scale.value);
        for row in z.chunks_exact_mut(self.scale.value.len()) {
            for ((z, shift), norm) in row.iter_mut().zip(&self.shift.value).zip(&self.norms) {
                *z = shift.mul_add(*norm, *z);
            }
        }
    }

    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        let steps = trained.rates.steps(&trained.rates.decay);
        column_sums(&mut self.sums, gradient.z, Some(&*gradient.kept));
        self.scale.descend(&self.sums, &steps);
        column_sums(&mut self.sums, gradient.z, None);
        for (sum, norm) in self.sums.iter_mut().zip(&self.norms) {
            *sum = *sum * *norm;
        }
        self.shift.descend(&self.sums, &steps);
    }

    fn fold(&self, h: usize, head: &mut Head) {
        let norms = head.weight_norms();
        for (class, mut row) in head.weight.rows_mut().into_iter().enumerate() {
            let column = h * self.n_classes + class;
            let scale = self.scale.value[column].to_f64();
            let shift = self.shift.value[column].to_f64();
            row.mapv_inplace(|w| w * scale);
            head.bias[class] = head.bias[class] * scale + shift * norms[class];
        }
    }
}
