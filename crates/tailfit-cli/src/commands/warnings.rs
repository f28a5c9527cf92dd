//! What is no error, but makes numbers mean something else than they seem to.

use anyhow::Result;
use ndarray::ArrayView2;
use tailfit::features::{DataSet, shared_rows};
use tailfit::head::Head;
use tailfit::metrics::{EvaluationSet, evaluate, samples_per_class};

use crate::printer::Printer;

/// Everything that a user of these files should know.
pub(super) fn of(data: &DataSet, printer: &Printer) -> Result<()> {
    of_leaks(data, printer)?;
    if data.validation_in_test > 0 {
        printer.warning(&format!(
            "{} validation samples are test samples too: selection by them is optimistic, and its scores are starred",
            data.validation_in_test
        ));
    }
    of_head(data, printer);
    of_missing_classes(data, printer);
    Ok(())
}

fn of_leaks(data: &DataSet, printer: &Printer) -> Result<()> {
    let shared = shared_rows(&data.train, &data.test)?;
    if let Some(&(in_train, in_test)) = shared.first() {
        printer.warning(&format!(
            "{} of {} test rows also appear in training (first: test row {in_test} is training row {in_train}); scores \
             on them are meaningless",
            shared.len(),
            data.test.len(),
        ));
    }
    for shared in data.shared_groups() {
        printer.warning(&shared);
    }
    Ok(())
}

/// A head that guesses on its own training samples has its classes or features in another order
/// than these, or is of another backbone; so has one that is right on less than half of what the
/// nearest class mean is.
pub(super) fn of_head(data: &DataSet, printer: &Printer) {
    let DataSet { train, counts, thresholds, stage_1, .. } = data;
    let (Some(file), Ok(features)) = (stage_1, train.plain.in_memory()) else { return };
    let rows: Vec<usize> = (0..train.len()).step_by(train.len().div_ceil(5000)).collect();
    let set = EvaluationSet {
        features,
        mirror: None,
        labels: &train.labels,
        rows: Some(&rows),
        groups: None,
    };
    let right = |head: &Head| evaluate(head, &set, counts, *thresholds).accuracy.macro_percent;
    let found = right(&file.head);
    let labels = rows.iter().map(|&row| train.labels[row]);
    let per_class = samples_per_class(labels, counts.n_classes());
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
        return;
    };
    printer.warning(&format!(
        "the stage-1 head is right on {found:.2} % of the training samples, averaged over classes, which is {than}: \
         are its classes in the order of the labels, its features in the order of the columns, and is it of the same \
         backbone?"
    ));
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

/// Features on whose scale the learning rates of the literature do not suit.
pub(super) fn of_scale(data: &DataSet, printer: &Printer) -> Result<()> {
    let remarks = data.train.plain.scale()?.remarks().join("; ");
    if !remarks.is_empty() {
        printer.warning(&format!(
            "the training features are of an unusual scale, for which the learning rates of methods trained by SGD are \
             not made: {remarks}. Train on features = \"standardised\", or read differences between methods with that in mind"
        ));
    }
    Ok(())
}

fn of_missing_classes(data: &DataSet, printer: &Printer) {
    let sets = [("test", Some(&data.test)), ("validation", data.validation.as_ref())];
    for (name, set) in sets.into_iter().filter_map(|(name, set)| Some((name, set?))) {
        let per_class = samples_per_class(set.labels.iter().copied(), data.counts.n_classes());
        let Some(first) = per_class.iter().position(|&n| n == 0) else { continue };
        printer.warning(&format!(
            "the {name} set has no samples of {} of the {} classes (first: class {first}); averages over classes, and \
             many, medium and few, are over the others",
            per_class.iter().filter(|&&n| n == 0).count(),
            per_class.len(),
        ));
    }
}
