//! Whether a given head seems to be of other classes or features.

use ndarray::{ArrayView2, Axis};

use crate::features::DataSet;
use crate::head::Head;
use crate::metrics::{EvaluationSet, evaluate, samples_per_class};

/// A head that guesses on its own training samples has its classes or features in another order
/// than these, or is of another backbone; so has one that is right on less than half of what the
/// nearest class mean is.
pub fn head_warning(data: &DataSet) -> Option<String> {
    let DataSet { train, counts, thresholds, stage_1, .. } = data;
    let (Some(file), Ok(features)) = (stage_1, train.plain.in_memory()) else { return None };
    let rows: Vec<usize> = (0..train.len()).step_by(train.len().div_ceil(5000)).collect();
    let labels: Vec<u32> = rows.iter().map(|&row| train.labels[row]).collect();
    let some = features.select(Axis(0), &rows);
    let set = EvaluationSet {
        features: some.view(),
        mirror: None,
        labels: &labels,
        rows: None,
        groups: None,
    };
    let right = |head: &Head| evaluate(head, &set, counts, *thresholds).accuracy.macro_percent;
    let found = right(&file.head);
    let per_class = samples_per_class(labels.iter().copied(), counts.n_classes());
    // A guess is right with p = 1/K; three standard deviations of the mean over classes above it.
    let p = 1.0 / counts.n_classes() as f64;
    let seen: Vec<f64> = per_class.into_iter().filter(|&n| n > 0).map(f64::from).collect();
    let variance = p * (1.0 - p) * seen.iter().map(|n| 1.0 / n).sum::<f64>();
    let bound = 100.0 * (p + 3.0 * variance.sqrt() / seen.len() as f64);
    let nearest_mean = right(&class_means(features, &train.labels, counts.as_slice()));
    let than = if found <= bound {
        format!("no more than guessing may reach ({bound:.2} %)")
    } else if 2.0 * found < nearest_mean {
        format!("less than half of what the nearest class mean is ({nearest_mean:.2} %)")
    } else {
        return None;
    };
    Some(format!(
        "the stage-1 head is right on {found:.2} % of the training samples, averaged over classes, which is {than}: \
         are its classes in the order of the labels, its features in the order of the columns, and is it of the same \
         backbone?"
    ))
}

/// The head that chooses the nearest class mean: w = μ, b = −‖μ‖² / 2.
fn class_means(features: ArrayView2<'_, f32>, labels: &[u32], counts: &[usize]) -> Head {
    let mut head = Head::zeros(counts.len(), features.ncols());
    for (row, &label) in features.rows().into_iter().zip(labels) {
        let share = 1.0 / counts[label as usize] as f64;
        let mean = head.weight.row_mut(label as usize);
        for (sum, &value) in mean.into_iter().zip(row) {
            *sum += share * f64::from(value);
        }
    }
    for (bias, mean) in head.bias.iter_mut().zip(head.weight.rows()) {
        *bias = -mean.iter().map(|m| m * m).sum::<f64>() / 2.0;
    }
    head
}
