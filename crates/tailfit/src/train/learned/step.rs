//! Steps of the head, taken and virtual.

use ndarray::{Array1, Array2, Axis, Zip};

use super::super::seen::Seen;
use crate::error::Result;
use crate::head::Head;
use crate::losses::Objective;
use crate::numbers::Real;
use crate::recipe::Recipe;

/// Features `[B, D]` and labels.
pub(super) struct Batch {
    pub(super) features: Array2<f64>,
    pub(super) labels: Vec<u32>,
}

/// The derivative of a batch's loss with respect to its logits, `[B, K]`.
pub(super) type Residuals = Array2<f64>;

impl Batch {
    pub(super) fn read<R: Real>(seen: &Seen<'_, R>, view: usize, rows: &[u32]) -> Result<Self> {
        let mut gathered = Vec::new();
        seen.gather(view, rows, &mut gathered)?;
        let values = gathered.iter().map(|v| v.to_f64()).collect();
        let features = Array2::from_shape_vec((rows.len(), seen.problem.dim), values);
        let labels = rows.iter().map(|&row| seen.problem.labels[row as usize]).collect();
        Ok(Self { features: features.expect("whole rows"), labels })
    }

    /// The loss and its residuals.
    pub(super) fn gradient(&self, objective: &Objective, head: &Head) -> (f64, Residuals) {
        let logits = self.features.dot(&head.weight.t()) + &head.bias;
        let mut logits = logits.as_standard_layout().into_owned();
        let values = logits.as_slice_mut().expect("in standard layout");
        (objective.value_and_grad_f64(values, &self.labels), logits)
    }

    /// The gradient with respect to weight and bias.
    fn of_head(&self, residuals: &Residuals) -> (Array2<f64>, Array1<f64>) {
        (residuals.t().dot(&self.features), residuals.sum_axis(Axis(0)))
    }
}

/// The head and its velocity.
pub(super) struct Step {
    pub(super) head: Head,
    pub(super) velocity: (Array2<f64>, Array1<f64>),
    pub(super) momentum: f64,
    /// Weight decay of weight and bias.
    pub(super) decay: (f64, f64),
}

impl Step {
    pub(super) fn new(head: Head, recipe: &Recipe) -> Self {
        let velocity = (Array2::zeros(head.weight.dim()), Array1::zeros(head.bias.len()));
        let decay = (recipe.sgd.weight_decay, recipe.bias_decay());
        Self { head, velocity, momentum: recipe.sgd.momentum, decay }
    }

    /// The head and its velocity after a step.
    pub(super) fn after(
        &self,
        batch: &Batch,
        residuals: &Residuals,
        lr: f64,
    ) -> (Head, (Array2<f64>, Array1<f64>)) {
        let (mut weight, mut bias) = batch.of_head(residuals);
        weight.scaled_add(self.decay.0, &self.head.weight);
        bias.scaled_add(self.decay.1, &self.head.bias);
        weight.scaled_add(self.momentum, &self.velocity.0);
        bias.scaled_add(self.momentum, &self.velocity.1);
        let mut head = self.head.clone();
        head.weight.scaled_add(-lr, &weight);
        head.bias.scaled_add(-lr, &bias);
        (head, (weight, bias))
    }

    pub(super) fn take(&mut self, batch: &Batch, residuals: &Residuals, lr: f64) {
        (self.head, self.velocity) = self.after(batch, residuals, lr);
    }

    /// The derivative of the loss on another batch, after a virtual step on `batch`, with respect to
    /// how much each of its samples counts, `[B]`: −lr rᵢ · (G xᵢ + g), r the residuals and (G, g) the
    /// gradient of that loss. Momentum and decay do not depend on it.
    pub(super) fn shares(
        &self,
        batch: &Batch,
        residuals: &Residuals,
        (meta, objective): (&Batch, &Objective),
        lr: f64,
    ) -> Array1<f64> {
        let (virtual_head, _) = self.after(batch, residuals, lr);
        let (_, beyond) = meta.gradient(objective, &virtual_head);
        let (weight, bias) = meta.of_head(&beyond);
        let pull = batch.features.dot(&weight.t()) + &bias;
        let mut product = pull;
        Zip::from(&mut product).and(residuals).for_each(|p, r| *p *= r);
        product.sum_axis(Axis(1)) * -lr
    }
}
