//! A classifier head: what stage 2 produces.

mod average;
mod gate;
mod kinds;
mod start;

use ndarray::{Array1, Array2, ArrayView2, Axis};

pub use self::gate::Gate;
pub use self::kinds::HeadKind;
pub(crate) use self::kinds::{Gradient, Kind, Layout, Params, Rates, Trained};
pub use self::start::Start;

/// The classifier: logits = W x + b, where x = f, or x = (f − c) / ‖f − c‖ for a cosine or normalised head,
/// which may be centred (c) or not (c = 0). A gated head adds to them: see [`Gate`].
///
/// Scales, temperatures and per-class offsets are folded into W and b, so that a plain linear
/// layer yields the same logits, unless there is a gate. Kept in f64, stored in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Weight, `[K, D]`.
    pub weight: Array2<f64>,
    /// Bias, `[K]`; zeros if the head has none.
    pub bias: Array1<f64>,
    /// Whether features are first divided by their L2 norm.
    pub normalise_features: bool,
    /// c, `[D]`, subtracted from features before they are divided by their norm; without
    /// `normalise_features` it would fold into the bias, and is not looked at.
    pub centre: Option<Array1<f64>>,
    /// What depends on the sample beyond W x + b.
    pub gate: Option<Gate>,
}

impl Head {
    /// A linear layer of weight `[K, D]` and bias `[K]`.
    pub fn linear(weight: Array2<f64>, bias: Array1<f64>) -> Self {
        Self { weight, bias, normalise_features: false, centre: None, gate: None }
    }

    /// A head with weight and bias 0.
    pub fn zeros(n_classes: usize, dim: usize) -> Self {
        Self::linear(Array2::zeros((n_classes, dim)), Array1::zeros(n_classes))
    }

    /// Whether the head is W f + b and nothing else.
    pub fn is_linear(&self) -> bool {
        !self.normalise_features && self.gate.is_none()
    }

    /// K, the number of classes.
    pub fn n_classes(&self) -> usize {
        self.weight.nrows()
    }

    /// D, the number of features.
    pub fn dim(&self) -> usize {
        self.weight.ncols()
    }

    /// Whether all weights and biases are finite numbers.
    pub fn is_finite(&self) -> bool {
        let more = self.centre.iter().flatten().chain(self.gate.iter().flat_map(Gate::values));
        self.weight.iter().chain(&self.bias).chain(more).all(|v| v.is_finite())
    }

    /// Logits `[N, K]`, row-major, of features `[N, D]`.
    ///
    /// # Panics
    ///
    /// If the number of features is not D.
    pub fn logits(&self, features: ArrayView2<'_, f32>) -> Array2<f64> {
        self.logits_of(features.mapv(f64::from))
    }

    /// As [`Head::logits`], of features in double precision.
    pub(crate) fn logits_of(&self, mut features: Array2<f64>) -> Array2<f64> {
        if self.normalise_features {
            if let Some(centre) = &self.centre {
                features -= centre;
            }
            normalise_rows(&mut features);
        }
        // A product over one feature comes column by column.
        let logits = features.dot(&self.weight.t()) + &self.bias;
        let mut logits = logits.as_standard_layout().into_owned();
        if let Some(gate) = &self.gate {
            gate.apply(&mut logits, &features);
        }
        logits
    }

    /// Multiplies the logits of each class by a factor `[K]`.
    pub fn scale_logits(&mut self, factors: &Array1<f64>) {
        self.weight *= &factors.view().insert_axis(Axis(1));
        self.bias *= factors;
        if let Some(gate) = &mut self.gate {
            gate.shift *= factors;
        }
    }

    /// Adds a number to the logits of each class, `[K]`.
    pub fn shift_logits(&mut self, shifts: &Array1<f64>) {
        self.bias += shifts;
        if let Some(gate) = &mut self.gate {
            // What the gate would add for the shift is none of its business.
            gate.shift -= &(&gate.scale * shifts);
        }
    }

    /// ‖wₖ‖₂ of each class, without the bias, `[K]`.
    pub fn weight_norms(&self) -> Vec<f64> {
        self.weight.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect()
    }

    /// ‖wₖ − mean of all w‖₂, `[K]`: adding one vector to every row changes the raw norms but
    /// no prediction (Proposition 2 of Sun et al.).
    pub fn centred_weight_norms(&self) -> Vec<f64> {
        let Some(mean) = self.weight.mean_axis(Axis(0)) else { return Vec::new() };
        let centred = Self { weight: &self.weight - &mean, ..self.clone() };
        centred.weight_norms()
    }

    /// The head as stored, rounded to f32.
    #[must_use]
    pub fn rounded(&self) -> Self {
        let round = |v: f64| f64::from(v as f32);
        Self {
            weight: self.weight.mapv(round),
            bias: self.bias.mapv(round),
            normalise_features: self.normalise_features,
            centre: self.centre.as_ref().map(|centre| centre.mapv(round)),
            gate: self.gate.as_ref().map(Gate::rounded),
        }
    }
}

/// Divides each row by its L2 norm (at least 1e-12).
pub(crate) fn normalise_rows(features: &mut Array2<f64>) {
    for mut row in features.rows_mut() {
        let norm = row.dot(&row).sqrt().max(1e-12);
        row.mapv_inplace(|v| v / norm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn logits_norms_and_the_common_shift() {
        let mut head = Head::linear(array![[3.0, 4.0], [0.0, 1.0]], array![0.5, 0.0]);
        assert_eq!(head.logits(array![[1.0, 2.0]].view()), array![[11.5, 2.0]]);
        assert_eq!(head.weight_norms(), [5.0, 1.0]);
        let before = head.centred_weight_norms();
        head.weight += &array![7.0, -2.0];
        assert_eq!(head.centred_weight_norms(), before);
        head.normalise_features = true;
        let z = head.logits(array![[0.0, 2.0]].view());
        assert_eq!(z, array![[2.5, -1.0]]);
        head.centre = Some(array![1.0, 2.0]);
        assert_eq!(head.logits(array![[1.0, 4.0]].view()), z);
    }

    /// Scaling and shifting the logits of a head with a gate does just that.
    #[test]
    fn logits_are_scaled_and_shifted_through_a_gate() {
        let mut head = Head::linear(array![[3.0, 4.0], [0.0, 1.0]], array![0.5, 0.0]);
        let gate = Gate {
            weight: array![0.3, -0.2],
            bias: 0.1,
            scale: array![0.7, -0.4],
            shift: array![0.2, 0.5],
        };
        head.gate = Some(gate);
        let features = array![[1.0, 2.0], [-3.0, 0.5]];
        let before = head.logits(features.view());
        // σ(.3 − .4 + .1) = 1/2, and the plain logits are 11.5 and 2.
        let by_hand = [11.5 + 0.5 * (0.7 * 11.5 + 0.2), 2.0 + 0.5 * (-0.4 * 2.0 + 0.5)];
        let close = |a: &Array2<f64>, b: &Array2<f64>| {
            a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-6, "{a} {b}"));
        };
        close(&before.row(0).to_owned().insert_axis(Axis(0)), &array![by_hand]);
        let (factors, shifts) = (array![2.0, 0.5], array![1.5, -3.0]);
        head.scale_logits(&factors);
        head.shift_logits(&shifts);
        close(&head.logits(features.view()), &(&before * &factors + &shifts));
    }
}
