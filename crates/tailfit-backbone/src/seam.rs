//! The core's losses at a network's logits.

use tailfit::losses::Objective;
use tch::{Device, Kind, Tensor};

/// A batch's loss: its value is the core's, and so is its gradient with respect to the `logits`
/// `[B, K]`, which backward passes go on from. The logits go to the host and back, so that no
/// loss exists twice. Taken in double precision where the logits are.
///
/// # Panics
///
/// If there are not as many labels as samples, or a label is not a class.
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
    // Σ z g has the gradient g; what is left of its own value is replaced by the loss's.
    let product = (logits * gradient).sum(logits.kind());
    &product - product.detach() + value
}
