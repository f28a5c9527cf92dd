//! The core's losses at a network's logits.

use tailfit::losses::Objective;
use tailfit::real::Real;
use tch::kind::Element;
use tch::{Device, Tensor};

/// A batch's loss: its value is the core's, and so is its gradient with respect to the `logits`
/// `[B, K]`, which backward passes go on from. The logits go to the host and back, so that no
/// loss exists twice.
///
/// # Panics
///
/// If there are not as many labels as samples, or a label is not a class.
pub fn host_loss<R: Real + Element>(
    objective: &Objective<R>,
    logits: &Tensor,
    labels: &[i64],
) -> Tensor {
    let labels: Vec<u32> = labels.iter().map(|&label| label as u32).collect();
    let host = logits.detach().to_device(Device::Cpu).to_kind(R::KIND).contiguous();
    let mut values = vec![<R as Real>::ZERO; host.numel()];
    let n = values.len();
    host.copy_data(&mut values, n);
    let value = objective.value_and_grad(&mut values, &labels);
    let gradient = Tensor::from_slice(&values).view_as(&host);
    let gradient = gradient.to_device(logits.device()).to_kind(logits.kind());
    // Σ z g has the gradient g; what is left of its own value is replaced by the loss's.
    let product = (logits * gradient).sum(logits.kind());
    &product - product.detach() + value
}
