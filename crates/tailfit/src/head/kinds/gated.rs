use ndarray::Array2;

use super::{Gradient, Head, HeadKind, Kind, Layout, Params, Rules, Start, Trained, linear};
use crate::head::Gate;
use crate::kernels::{Packed, Panels, Rows, Steps, Weights, column_sums, vectorised};
use crate::numbers::Real;

pub(super) const RULES: Rules = Rules {
    name: "gated",
    normalises_features: false,
    has_gate: true,
    starts: (&[Start::Stage1], "`stage-1`, whose weights a gated head keeps"),
    random: linear::random,
    check: |_| Ok(()),
};

/// v at the start, as in the authors' code.
const START: f64 = 0.1;

/// Training state: α and β, `[C]`; v and u of each head, `[D, H]`.
pub(super) struct Training<R: Real> {
    scale: Params<R>,
    shift: Params<R>,
    weights: Weights<R>,
    bias: Params<R>,
    n_heads: usize,
    n_classes: usize,
    /// Scratch memory.
    sums: Vec<R>,
}

impl<R: Real> Training<R> {
    pub(super) fn new(kinds: &[HeadKind], layout: Layout) -> Self {
        let (n_classes, columns) = (layout.n_classes, layout.panels.columns);
        let n_heads = kinds.len();
        let panels = Panels::new(layout.panels.depth, n_heads);
        let mut weights = Weights::new(panels, layout.unit);
        panels.write(&mut weights.value, 0, &Array2::from_elem((n_heads, layout.dim), START));
        weights.changed();
        Self {
            scale: Params::new(R::ONE, columns),
            shift: Params::new(R::ZERO, columns),
            weights,
            bias: Params::new(R::ZERO, panels.columns),
            n_heads,
            n_classes,
            sums: vec![R::ZERO; columns],
        }
    }

    /// σ(v·f + u) of `n` samples `from..` of the batch, one column for each head, `[n, H]` padded.
    fn gates(&self, batch: &Packed<R>, from: usize, n: usize) -> Vec<R> {
        let pitch = self.weights.panels.columns;
        let mut gates = vec![R::ZERO; n * pitch];
        let out = Rows { values: &mut gates, pitch };
        self.weights.forward(out, batch, from, &self.bias.value);
        vectorised(
            #[inline(always)]
            || gates.iter_mut().for_each(|gate| *gate = gate.logistic()),
        );
        gates
    }

    /// Turns the gradient of the logits g into that of α, σ g z, and that of β, σ g, and returns that of
    /// v·f + u: σ (1 − σ) Σₖ gₖ (αₖ zₖ + βₖ).
    fn backward(&self, g: &mut [R], z: &mut [R], gates: &[R]) -> Vec<R> {
        let (k, c, pitch) = (self.n_classes, self.scale.value.len(), self.weights.panels.columns);
        let mut of_gates = vec![R::ZERO; gates.len()];
        let rows = g.chunks_exact_mut(c).zip(z.chunks_exact_mut(c));
        let all = rows.zip(gates.chunks_exact(pitch)).zip(of_gates.chunks_exact_mut(pitch));
        vectorised(
            #[inline(always)]
            || {
                for (((g, z), gates), of_gates) in all {
                    let heads = g.chunks_exact_mut(k).zip(z.chunks_exact_mut(k));
                    let heads = heads.zip(gates.iter().zip(of_gates));
                    let heads = heads.zip(self.scale.value.chunks_exact(k));
                    let heads = heads.zip(self.shift.value.chunks_exact(k)).take(self.n_heads);
                    for ((((g, z), (&gate, of_gate)), scale), shift) in heads {
                        let mut sum = R::ZERO;
                        for (((&g, &z), &scale), &shift) in g.iter().zip(&*z).zip(scale).zip(shift) {
                            sum += g * (scale * z + shift);
                        }
                        for (g, z) in g.iter_mut().zip(z) {
                            *g = *g * gate;
                            *z = *g * *z;
                        }
                        *of_gate = sum * gate * (R::ONE - gate);
                    }
                }
            },
        );
        of_gates
    }
}

impl<R: Real> Kind<R> for Training<R> {
    fn forward(&self, (batch, from): (&Packed<R>, usize), z: &mut [R], kept: &mut [R]) {
        kept.copy_from_slice(z);
        let (k, c, pitch) = (self.n_classes, self.scale.value.len(), self.weights.panels.columns);
        let gates = self.gates(batch, from, z.len() / c);
        vectorised(
            #[inline(always)]
            || {
                for (row, gates) in z.chunks_exact_mut(c).zip(gates.chunks_exact(pitch)) {
                    let heads = row.chunks_exact_mut(k).zip(gates);
                    let heads = heads.zip(self.scale.value.chunks_exact(k));
                    let heads = heads.zip(self.shift.value.chunks_exact(k)).take(self.n_heads);
                    for (((z, &gate), scale), shift) in heads {
                        for ((z, &scale), &shift) in z.iter_mut().zip(scale).zip(shift) {
                            *z += gate * (scale * *z + shift);
                        }
                    }
                }
            },
        );
    }

    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>) {
        let Gradient { z: g, kept, batch, split } = gradient;
        let gates = self.gates(batch, 0, batch.padded);
        let of_gates = self.backward(g, kept, &gates);

        let steps = trained.rates.steps(&trained.rates.decay);
        column_sums(&mut self.sums, kept, None);
        self.scale.descend(&self.sums, &steps);
        column_sums(&mut self.sums, g, None);
        self.shift.descend(&self.sums, &steps);

        let pitch = self.weights.panels.columns;
        let of_head = |of_column: &[R]| -> Vec<R> {
            let heads = (0..self.n_heads).map(|h| of_column[h * self.n_classes]);
            heads.chain(std::iter::repeat(R::ZERO)).take(pitch).collect()
        };
        let rates = &trained.rates;
        let [lr, momentum] = [&rates.lr, &rates.momentum].map(|of_column| of_head(of_column));
        let [decay, bias_decay] = [&rates.decay, &rates.bias_decay].map(|decay| of_head(decay));
        let nesterov = rates.nesterov;
        let steps = |decay| Steps { lr: &lr, decay, momentum: &momentum, nesterov };
        let mut sums = vec![R::ZERO; pitch];
        column_sums(&mut sums, &of_gates, None);
        self.weights.descend(&of_gates, pitch, batch, &steps(&decay), split);
        self.bias.descend(&sums, &steps(&bias_decay));
    }

    fn fold(&self, h: usize, head: &mut Head) {
        let columns = h * self.n_classes..(h + 1) * self.n_classes;
        let wide = |values: &[R]| values.iter().map(|value| value.to_f64()).collect();
        let weight = self.weights.panels.read(&self.weights.value, h, (1, head.dim()));
        head.gate = Some(Gate {
            weight: weight.row(0).to_owned(),
            bias: self.bias.value[h].to_f64(),
            scale: wide(&self.scale.value[columns.clone()]),
            shift: wide(&self.shift.value[columns]),
        });
    }
}

#[cfg(test)]
mod tests;
