//! PyTorch's SGD, with its state in our hands so that it can be kept and taken up again.

use tch::Tensor;

/// What is stepped, and its momentum.
#[derive(Debug)]
pub(crate) struct Sgd {
    parameters: Vec<(Tensor, f64)>,
    pub(crate) velocity: Vec<Tensor>,
    momentum: f64,
    nesterov: bool,
}

impl Sgd {
    /// Tensors with the weight decay of each.
    pub(crate) fn new(
        parameters: impl Iterator<Item = (Tensor, f64)>,
        momentum: f64,
        nesterov: bool,
    ) -> Self {
        let parameters: Vec<_> = parameters.collect();
        let velocity = parameters.iter().map(|(tensor, _)| tensor.detach().zeros_like()).collect();
        Self { parameters, velocity, momentum, nesterov }
    }

    /// g ← gradient + decay θ, v ← momentum v + g, θ ← θ − lr v, or θ − lr (g + momentum v).
    pub(crate) fn step(&mut self, lr: f64) {
        tch::no_grad(|| {
            for ((parameter, decay), v) in self.parameters.iter_mut().zip(&mut self.velocity) {
                let mut g = parameter.grad();
                if *decay > 0.0 {
                    let _ = g.g_add_(&(&*parameter * *decay));
                }
                let _ = v.g_mul_scalar_(self.momentum).g_add_(&g);
                let step = if self.nesterov { g + &*v * self.momentum } else { v.shallow_clone() };
                let _ = parameter.g_sub_(&(step * lr));
                parameter.zero_grad();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's documentation, written out for one number with the gradient 2 θ.
    #[test]
    fn steps_are_pytorchs() {
        for nesterov in [false, true] {
            let mut theta = Tensor::from(1.5_f64).set_requires_grad(true);
            let parameters = std::iter::once((theta.shallow_clone(), 0.1));
            let mut sgd = Sgd::new(parameters, 0.9, nesterov);
            let (mut x, mut v) = (1.5, 0.0);
            for lr in [0.1, 0.05, 0.2] {
                (&theta * &theta).backward();
                sgd.step(lr);
                let g = 2.0 * x + 0.1 * x;
                v = 0.9 * v + g;
                x -= lr * if nesterov { g + 0.9 * v } else { v };
                assert!((theta.double_value(&[]) - x).abs() < 1e-15, "{theta:?} against {x}");
            }
            theta.zero_grad();
        }
    }
}
