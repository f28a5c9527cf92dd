//! PyTorch's SGD, with its state in our hands so that it can be kept and taken up again.

use tch::Tensor;

use crate::parameters::Parameters;

/// Momentum of every trained entry.
#[derive(Debug)]
pub(crate) struct Sgd {
    pub(crate) velocity: Vec<Tensor>,
    momentum: f64,
    nesterov: bool,
    decay: Vec<f64>,
}

impl Sgd {
    /// `decay` applies to weights of two and more dimensions, and to the others if `to_all`.
    pub(crate) fn new(
        p: &Parameters,
        momentum: f64,
        nesterov: bool,
        decay: f64,
        to_all: bool,
    ) -> Self {
        let velocity = p.trained().map(|p| p.tensor.detach().zeros_like()).collect();
        let decay = p.trained().map(|p| if to_all || p.tensor.dim() > 1 { decay } else { 0.0 });
        Self { velocity, momentum, nesterov, decay: decay.collect() }
    }

    /// g ← gradient + decay θ, v ← momentum v + g, θ ← θ − lr v, or θ − lr (g + momentum v).
    pub(crate) fn step(&mut self, p: &Parameters, lr: f64) {
        tch::no_grad(|| {
            for ((parameter, v), &decay) in p.trained().zip(&mut self.velocity).zip(&self.decay) {
                let mut weight = parameter.tensor.shallow_clone();
                let mut g = weight.grad();
                if decay > 0.0 {
                    let _ = g.g_add_(&(&weight * decay));
                }
                let _ = v.g_mul_scalar_(self.momentum).g_add_(&g);
                let step = if self.nesterov { g + &*v * self.momentum } else { v.shallow_clone() };
                let _ = weight.g_sub_(&(step * lr));
                weight.zero_grad();
            }
        });
    }
}
