//! The layers of a backbone: convolution and batch normalisation.

use tch::{Kind, Tensor};

use crate::parameters::{Init, Parameters};

/// Which statistics batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormMode {
    /// The batch's statistics, which also update the running ones.
    Train,
    /// The batch's statistics; the running ones are left unchanged.
    Batch,
    /// The running statistics.
    Evaluate,
}

/// How to do a forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Pass {
    /// Statistics of batch normalisation.
    pub norm: NormMode,
    /// Whether convolutions run in bf16.
    pub bf16: bool,
}

/// A convolution without bias.
#[derive(Debug)]
pub(crate) struct Conv {
    weight: Tensor,
    stride: i64,
    padding: i64,
    groups: i64,
}

/// Shape of a convolution.
#[derive(Clone, Copy)]
pub(crate) struct ConvShape {
    pub(crate) inputs: i64,
    pub(crate) outputs: i64,
    pub(crate) kernel: i64,
    pub(crate) stride: i64,
    pub(crate) groups: i64,
}

impl Conv {
    pub(crate) fn new(p: &mut Parameters, name: &str, shape: ConvShape, init: Init) -> Self {
        let ConvShape { inputs, outputs, kernel, stride, groups } = shape;
        let area = (kernel * kernel) as f64;
        let fan_in = (inputs / groups) as f64 * area;
        // As PyTorch defines it, without dividing by the groups.
        let fan_out = outputs as f64 * area;
        let size = [outputs, inputs / groups, kernel, kernel];
        let weight = p.add(format!("{name}.weight"), &size, |rng| match init {
            Init::KaimingFanIn => (2.0 / fan_in).sqrt() * rng.normal(),
            Init::KaimingFanOut => (2.0 / fan_out).sqrt() * rng.normal(),
            Init::TorchDefault => (2.0 * rng.uniform() - 1.0) / fan_in.sqrt(),
        });
        Self { weight, stride, padding: kernel / 2, groups }
    }

    pub(crate) fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        let conv = |x: &Tensor, w: &Tensor| {
            x.conv2d(w, None::<&Tensor>, stride, padding, [1, 1], self.groups)
        };
        // Autocast has no effect on the CPU, so the casts are explicit.
        if pass.bf16 {
            conv(&x.to_kind(Kind::BFloat16), &self.weight.to_kind(Kind::BFloat16))
        } else {
            conv(x, &self.weight)
        }
    }
}

/// Batch normalisation with PyTorch's constants: momentum 0.1, ε = 1e-5.
#[derive(Debug)]
pub(crate) struct Norm {
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    batches: Tensor,
}

impl Norm {
    pub(crate) fn new(p: &mut Parameters, name: &str, n: i64) -> Self {
        let kind = p.kind();
        Self {
            weight: p.add(format!("{name}.weight"), &[n], |_| 1.0),
            bias: p.add(format!("{name}.bias"), &[n], |_| 0.0),
            mean: p.add_fixed(format!("{name}.running_mean"), 0.0, &[n], kind),
            variance: p.add_fixed(format!("{name}.running_var"), 1.0, &[n], kind),
            batches: p.add_fixed(format!("{name}.num_batches_tracked"), 0.0, &[], Kind::Int64),
        }
    }

    pub(crate) fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        let running = (pass.norm != NormMode::Batch).then_some((&self.mean, &self.variance));
        let (mean, variance) = (running.map(|r| r.0), running.map(|r| r.1));
        if pass.norm == NormMode::Train {
            let _ = tch::no_grad(|| self.batches.shallow_clone().g_add_scalar_(1));
        }
        let by_batch = pass.norm != NormMode::Evaluate;
        x.batch_norm(weight, bias, mean, variance, by_batch, 0.1, 1e-5, true)
    }
}
