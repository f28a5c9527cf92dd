//! PyTorch's SGD, with accessible state so that it can be saved and restored.

use tch::Tensor;

/// The parameters to step, with their velocity.
#[derive(Debug)]
pub(crate) struct Optimiser {
    parameters: Vec<(Tensor, f64)>,
    pub(crate) velocity: Vec<Tensor>,
    momentum: f64,
    nesterov: bool,
}

impl Optimiser {
    /// An optimiser of tensors, each with its weight decay.
    pub(crate) fn new(
        parameters: impl Iterator<Item = (Tensor, f64)>,
        momentum: f64,
        nesterov: bool,
    ) -> Self {
        let parameters: Vec<_> = parameters.collect();
        let velocity = parameters.iter().map(|(tensor, _)| tensor.detach().zeros_like()).collect();
        Self { parameters, velocity, momentum, nesterov }
    }

    /// Backpropagates a loss and takes a step: g ← gradient + decay θ, v ← momentum v + g,
    /// θ ← θ − lr v, or θ ← θ − lr (g + momentum v) with Nesterov. Gradients are not accumulated,
    /// so none need zeroing.
    pub(crate) fn step(&mut self, loss: &Tensor, lr: f64) {
        let parameters: Vec<&Tensor> = self.parameters.iter().map(|(tensor, _)| tensor).collect();
        let gradients = Tensor::run_backward(&[loss], &parameters, false, false);
        tch::no_grad(|| {
            let parameters = self.parameters.iter_mut().zip(&mut self.velocity);
            for (((parameter, decay), v), mut g) in parameters.zip(gradients) {
                if *decay > 0.0 {
                    g = (&*parameter * *decay).g_add_(&g);
                }
                let _ = v.g_mul_scalar_(self.momentum).g_add_(&g);
                let step = if self.nesterov { g + &*v * self.momentum } else { v.shallow_clone() };
                let _ = parameter.g_sub_(&(step * lr));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PyTorch's documented update, written out for one number with gradient 2 θ.
    #[test]
    fn steps_are_pytorchs() {
        for nesterov in [false, true] {
            let theta = Tensor::from(1.5_f64).set_requires_grad(true);
            let parameters = std::iter::once((theta.shallow_clone(), 0.1));
            let mut optimiser = Optimiser::new(parameters, 0.9, nesterov);
            let (mut x, mut v) = (1.5, 0.0);
            for lr in [0.1, 0.05, 0.2] {
                optimiser.step(&(&theta * &theta), lr);
                let g = 2.0 * x + 0.1 * x;
                v = 0.9 * v + g;
                x -= lr * if nesterov { g + 0.9 * v } else { v };
                assert!((theta.double_value(&[]) - x).abs() < 1e-15, "{theta:?} against {x}");
            }
        }
    }
}
