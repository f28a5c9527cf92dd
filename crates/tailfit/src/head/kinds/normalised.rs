use super::{Gradient, Head, HeadKind, Kind, Layout, Rules, Trained, linear};
use crate::numbers::Real;

pub(super) const RULES: Rules =
    Rules { name: "normalised", normalises_features: true, ..linear::RULES };

/// Training state: that of a linear layer, which sees features of norm 1.
pub(super) struct Training<R>(linear::Training<R>);

impl<R> Training<R> {
    pub(super) fn new(kinds: &[HeadKind], layout: Layout) -> Self {
        Self(linear::Training::new(kinds, layout))
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        self.0.step(gradient, trained);
    }

    fn fold(&self, _h: usize, head: &mut Head) {
        head.normalise_features = true;
    }
}
