//! How features are scaled, which decides what gradient descent makes of them.

use super::Matrix;
use crate::error::Result;

/// Three numbers about the scale of features. Learning rates in the literature are made for a
/// network's last layer; far from its scale, SGD with the same rates barely moves or never
/// settles, and a comparison ranks how well methods bear that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Root mean square of ‖x − mean‖₂. About 10 for a ResNet's features; 3 to 100 are usual.
    pub norm: f64,
    /// ‖mean‖² / mean ‖x‖²: the share that all samples have in common, 0 to 1. Below 0.95 is
    /// usual.
    pub offset: f64,
    /// The largest variance of a feature over their mean, 1 to D. Below 10 is usual.
    pub spread: f64,
}

impl Scale {
    /// What is unusual, in words; empty if nothing is.
    pub fn remarks(&self) -> Vec<String> {
        let Self { norm, offset, spread } = *self;
        let usual_norm = (3.0..=100.0).contains(&norm);
        let [norm_is, offset_is, spread_is] = [
            format!("their norm about the mean is {norm:.3} (3 to 100 are usual)"),
            format!(
                "{:.2} % of their square is the same for all samples (up to 95 %)",
                100.0 * offset
            ),
            format!("the most varying one has {spread:.1} times the mean variance (up to 10)"),
        ];
        [(!usual_norm, norm_is), (offset > 0.95, offset_is), (spread > 10.0, spread_is)]
            .into_iter()
            .filter_map(|(unusual, remark)| unusual.then_some(remark))
            .collect()
    }
}

impl Matrix {
    /// How its columns are scaled, in one pass.
    ///
    /// # Errors
    ///
    /// If a file can no longer be read.
    pub fn scale(&self) -> Result<Scale> {
        let (n, d) = (self.n_rows() as f64, self.dim());
        // About the first row, so that a large offset costs no digits.
        let mut first: Option<Vec<f64>> = None;
        let (mut sum, mut square) = (vec![0.0; d], vec![0.0; d]);
        self.blocks(|_, block| {
            for row in block.rows() {
                let first =
                    first.get_or_insert_with(|| row.iter().copied().map(f64::from).collect());
                for (j, &value) in row.iter().enumerate() {
                    let value = f64::from(value) - first[j];
                    sum[j] += value;
                    square[j] += value * value;
                }
            }
            Ok(())
        })?;
        let first = first.unwrap_or_default();
        let variances: Vec<f64> =
            sum.iter().zip(&square).map(|(s, q)| (q / n - (s / n).powi(2)).max(0.0)).collect();
        let total: f64 = variances.iter().sum();
        let mean_square: f64 = first.iter().zip(&sum).map(|(f, s)| (f + s / n).powi(2)).sum();
        let largest = variances.iter().copied().fold(0.0, f64::max);
        Ok(Scale {
            norm: total.sqrt(),
            offset: if total + mean_square > 0.0 {
                mean_square / (total + mean_square)
            } else {
                0.0
            },
            spread: if total > 0.0 { largest * d as f64 / total } else { 1.0 },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn three_numbers_by_hand() {
        let scale = |array: ndarray::Array2<f32>| Matrix::from(array).scale().unwrap();
        let found = scale(array![[1.0, 2.0], [-1.0, 2.0]]);
        assert_eq!((found.norm, found.offset, found.spread), (1.0, 0.8, 2.0));
        assert_eq!(found.remarks().len(), 1, "{:?}", found.remarks());
        // A constant of 7e4 beside what varies by 10: exact in spite of it.
        let found = scale(array![[70_000.0, 10.0], [70_000.0, -10.0]]);
        assert_eq!((found.norm, found.spread), (10.0, 2.0));
        assert!(found.offset > 0.999 && found.remarks().len() == 1);
        assert_eq!(scale(array![[0.0]]), Scale { norm: 0.0, offset: 0.0, spread: 1.0 });
    }
}
