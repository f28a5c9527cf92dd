use super::{Gradient, Head, HeadKind, Kind, Layout, Rules, Start, Trained, draw};
use crate::numbers::Real;
use crate::rng::Rng;

pub(super) const RULES: Rules = Rules {
    name: "linear",
    normalises_features: false,
    has_gate: false,
    starts: (
        &[Start::Stage1, Start::ClassMeans, Start::ClassVectors, Start::Zero, Start::Random],
        "any start",
    ),
    random,
    check: |_| Ok(()),
};

/// PyTorch's `nn.Linear`: uniform in ±1/√D for weight and bias.
pub(super) fn random(rng: &mut Rng, head: &mut Head) {
    let bound = 1.0 / (head.dim() as f64).sqrt();
    draw(&mut head.weight, bound, rng);
    head.bias.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
}

/// Training state: none beyond weights and bias.
pub(super) struct Training<R>(std::marker::PhantomData<R>);

impl<R> Training<R> {
    pub(super) fn new(_kinds: &[HeadKind], _layout: Layout) -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        let Trained { weights, bias, rates } = trained;
        gradient.step_bias(bias, &rates.steps(&rates.bias_decay));
        gradient.step_weights(weights, &rates.steps(&rates.decay));
    }
}
