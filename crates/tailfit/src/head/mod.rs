//! A classifier head: what stage 2 produces.

mod kinds;
mod start;

use ndarray::{Array1, Array2, ArrayView2, Axis};

pub use self::kinds::HeadKind;
pub(crate) use self::kinds::{Gradient, Kind, Params, Rates, Trained};
pub use self::start::Start;

/// The classifier: logits = W f + b, or W (f / ‖f‖) + b for a cosine head.
///
/// Scales, temperatures and per-class offsets are folded into W and b, so that a plain linear
/// layer yields the same logits. Kept in f64, stored in f32.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Weight, `[K, D]`.
    pub weight: Array2<f64>,
    /// Bias, `[K]`; zeros if the head has none.
    pub bias: Array1<f64>,
    /// Whether features are first divided by their L2 norm.
    pub normalise_features: bool,
}

impl Head {
    /// A head with weight and bias 0.
    pub fn zeros(n_classes: usize, dim: usize) -> Self {
        let (weight, bias) = (Array2::zeros((n_classes, dim)), Array1::zeros(n_classes));
        Self { weight, bias, normalise_features: false }
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
        self.weight.iter().chain(&self.bias).all(|v| v.is_finite())
    }

    /// Logits `[N, K]`, row-major, of features `[N, D]`.
    ///
    /// # Panics
    ///
    /// If the number of features is not D.
    pub fn logits(&self, features: ArrayView2<'_, f32>) -> Array2<f64> {
        let mut features = features.mapv(f64::from);
        if self.normalise_features {
            normalise_rows(&mut features);
        }
        // A product over one feature comes column by column.
        let logits = features.dot(&self.weight.t()) + &self.bias;
        logits.as_standard_layout().into_owned()
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
        Self { weight: self.weight.mapv(round), bias: self.bias.mapv(round), ..self.clone() }
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
        let mut head = Head {
            weight: array![[3.0, 4.0], [0.0, 1.0]],
            bias: array![0.5, 0.0],
            normalise_features: false,
        };
        assert_eq!(head.logits(array![[1.0, 2.0]].view()), array![[11.5, 2.0]]);
        assert_eq!(head.weight_norms(), [5.0, 1.0]);
        let before = head.centred_weight_norms();
        head.weight += &array![7.0, -2.0];
        assert_eq!(head.centred_weight_norms(), before);
        head.normalise_features = true;
        let z = head.logits(array![[0.0, 2.0]].view());
        assert_eq!(z, array![[2.5, -1.0]]);
    }
}
