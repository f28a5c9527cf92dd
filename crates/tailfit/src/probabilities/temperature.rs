use ndarray::{ArrayView1, ArrayView2, Axis};

/// The range of temperatures; a head that is right about every sample wants the least.
const RANGE: (f64, f64) = (1e-2, 1e3);

/// The temperature T at which softmax(z / T) predicts the labels best: the minimum of the NLL, which is
/// convex in 1 / T. Between 0.01 and 1,000. Dividing weight and bias by it changes no prediction.
///
/// Source: Guo et al., ICML 2017, section 4.2.
///
/// # Panics
///
/// If the numbers of labels and rows differ, or a label is not a class.
pub fn fit_temperature(logits: ArrayView2<'_, f64>, labels: &[u32]) -> f64 {
    assert_eq!(logits.nrows(), labels.len(), "a label for each row");
    let slope = |inverse: f64| -> f64 {
        let each = logits.axis_iter(Axis(0)).zip(labels);
        each.map(|(row, &label)| mean_under(row, inverse) - row[label as usize]).sum()
    };
    let (mut low, mut high) = (1.0 / RANGE.1, 1.0 / RANGE.0);
    if slope(low) == 0.0 {
        // Every row has equal logits, so that any temperature is as good.
        return 1.0;
    }
    // The slope rises with 1 / T: bisection on its logarithm. Where all is right it rises to 0.
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        if slope(middle) <= 0.0 { low = middle } else { high = middle }
    }
    1.0 / (low * high).sqrt()
}

/// The mean logit under softmax(inverse · z).
fn mean_under(row: ArrayView1<'_, f64>, inverse: f64) -> f64 {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (mut sum, mut weighted) = (0.0, 0.0);
    for &z in row {
        let e = ((z - top) * inverse).exp();
        sum += e;
        weighted += e * z;
    }
    weighted / sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    /// Sure by a logit of 10 and right three times of four: 3/4 = sigmoid(10 / T).
    #[test]
    fn three_of_four() {
        let logits = array![[10.0, 0.0], [10.0, 0.0], [10.0, 0.0], [10.0, 0.0]];
        let temperature = fit_temperature(logits.view(), &[0, 0, 0, 1]);
        assert!((temperature - 10.0 / 3_f64.ln()).abs() < 1e-9, "{temperature}");
        let always_right = fit_temperature(logits.view(), &[0; 4]);
        assert!((always_right - RANGE.0).abs() < 1e-9);
        assert_eq!(fit_temperature(array![[3.0, 3.0]].view(), &[1]), 1.0);
    }
}
