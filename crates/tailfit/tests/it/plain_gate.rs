//! DisAlign's gate as a plain loop in f64.

use std::slice;

use ndarray::{Array1, Array2, Axis};
use tailfit::head::Gate;
use tailfit::recipe::Sgd;

use crate::plain::descend;

/// DisAlign's gate with its velocities.
pub(crate) struct PlainGate {
    pub(crate) gate: Gate,
    velocity: Gate,
}

impl PlainGate {
    pub(crate) fn new((k, dim): (usize, usize)) -> Self {
        let of = |v: f64, scale: f64| Gate {
            weight: Array1::from_elem(dim, v),
            bias: 0.0,
            scale: Array1::from_elem(k, scale),
            shift: Array1::zeros(k),
        };
        Self { gate: of(0.1, 1.0), velocity: of(0.0, 0.0) }
    }

    /// σ(v·f + u), as a column.
    fn open(&self, x: &Array2<f64>) -> Array2<f64> {
        let open = x.dot(&self.gate.weight) + self.gate.bias;
        open.mapv(|v| 1.0 / (1.0 + (-v).exp())).insert_axis(Axis(1))
    }

    fn added(&self, z: &Array2<f64>) -> Array2<f64> {
        z * &self.gate.scale + &self.gate.shift
    }

    pub(crate) fn logits(&self, x: &Array2<f64>, z: &Array2<f64>) -> Array2<f64> {
        z + &(&self.open(x) * &self.added(z))
    }

    pub(crate) fn step(
        &mut self,
        (x, z, g): (&Array2<f64>, &Array2<f64>, &Array2<f64>),
        (decay, bias_decay): (f64, f64),
        lr: f64,
        sgd: &Sgd,
    ) {
        let open = self.open(x);
        let slope = open.mapv(|s| s * (1.0 - s)).remove_axis(Axis(1))
            * &(g * &self.added(z)).sum_axis(Axis(1));
        let through = g * &open;
        let Self { gate, velocity } = self;
        for (w, v, grad) in [
            (&mut gate.weight, &mut velocity.weight, x.t().dot(&slope)),
            (&mut gate.scale, &mut velocity.scale, (&through * z).sum_axis(Axis(0))),
            (&mut gate.shift, &mut velocity.shift, through.sum_axis(Axis(0))),
        ] {
            let (w, v) = (w.as_slice_mut().unwrap(), v.as_slice_mut().unwrap());
            descend(w, v, &grad.to_vec(), decay, lr, sgd);
        }
        let (w, v) = (slice::from_mut(&mut gate.bias), slice::from_mut(&mut velocity.bias));
        descend(w, v, &[slope.sum()], bias_decay, lr, sgd);
    }
}
