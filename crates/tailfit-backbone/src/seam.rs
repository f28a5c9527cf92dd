//! Connects the core's losses to a network's logits.

use tailfit::losses::Objective;
use tch::{Device, Kind, Tensor};

/// A batch's loss. Its value and its gradient with respect to `logits`, `[B, K]`, are computed by
/// the core, and backward passes continue from there. The logits go to the host and back, so that
/// no loss has to be implemented twice. Computed in double precision if the logits are.
///
/// # Panics
///
/// If the numbers of labels and samples differ, or a label is not a class.
pub fn host_loss(objective: &Objective, logits: &Tensor, labels: &[i64]) -> Tensor {
    let labels: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
    let host = logits.detach().to_device(Device::Cpu);
    let (value, gradient) = if host.kind() == Kind::Double {
        let mut values = vec![0.0_f64; host.numel()];
        let n = values.len();
        host.contiguous().copy_data(&mut values, n);
        (objective.value_and_grad_f64(&mut values, &labels), Tensor::from_slice(&values))
    } else {
        let mut values = vec![0.0_f32; host.numel()];
        let n = values.len();
        host.to_kind(Kind::Float).contiguous().copy_data(&mut values, n);
        (objective.value_and_grad(&mut values, &labels), Tensor::from_slice(&values))
    };
    let gradient = gradient.view_as(&host).to_device(logits.device()).to_kind(logits.kind());
    // Σ z g has the gradient g; its own value is replaced by that of the loss.
    let product = (logits * gradient).sum(logits.kind());
    &product - product.detach() + value
}
