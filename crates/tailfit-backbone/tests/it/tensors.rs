//! Tensors by the golden files' formula, and their numbers.

use tch::{Kind, Tensor};

use crate::support::unit;

/// A tensor whose number i is `value(unit(key, p, i))`.
pub(crate) fn formula(key: u64, p: u64, shape: &[i64], value: impl Fn(f64) -> f64) -> Tensor {
    let n = shape.iter().product::<i64>();
    let values: Vec<f64> = (0..n as u64).map(|i| value(unit(key, p, i))).collect();
    Tensor::from_slice(&values).view(shape)
}

/// A tensor's numbers in row-major order.
pub(crate) fn values(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.detach().to_kind(Kind::Double).contiguous().view(-1);
    Vec::<f64>::try_from(flat).unwrap()
}
