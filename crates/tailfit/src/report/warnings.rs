//! What is no error, but makes numbers mean something else than they seem to.

use super::head_warning;
use crate::error::Result;
use crate::features::{DataSet, Features, shared_rows};
use crate::metrics::{EvaluationSet, evaluate, samples_per_class};

/// A head that is right on this share of the training set, in percent, has fitted it.
const FITTED: f64 = 99.0;

/// Everything that who compares on these data should know: samples and groups in two sets, a given head
/// whose classes seem to be in another order, classes without samples.
///
/// # Errors
///
/// If features left in their file can no longer be read.
pub fn warnings(data: &DataSet) -> Result<Vec<String>> {
    let mut all = vec![];
    let sets = [
        ("test", Some(&data.test), "scores on them are meaningless"),
        (
            "validation",
            data.validation.as_ref(),
            "what chooses by them prefers what fits the training set",
        ),
    ];
    for (name, set, consequence) in sets {
        let Some(set) = set else { continue };
        let shared = shared_rows(&data.train, set)?;
        if let Some((in_train, in_set)) = shared.first() {
            all.push(format!(
                "{} of {} {name} rows also appear in training (first: {name} row {in_set} is training row {in_train}); \
                 {consequence}",
                shared.len(),
                set.len(),
            ));
        }
    }
    all.extend(data.shared_groups());
    if data.validation_in_test > 0 {
        all.push(format!(
            "{} validation samples are test samples too: selection by them is optimistic, and its scores are starred",
            data.validation_in_test
        ));
    }
    all.extend(head_warning(data));
    all.extend(of_missing_classes(data));
    Ok(all)
}

/// Accuracy of the data's stage-1 head on the training samples in percent, if it has fitted them, so that
/// folds of them show nothing.
///
/// # Errors
///
/// If the features are left in their file.
pub fn fitted_percent(data: &DataSet) -> Result<Option<f64>> {
    let Some(file) = &data.stage_1 else { return Ok(None) };
    let set = EvaluationSet::of(&data.train)?;
    let scores = evaluate(&file.head, &set, &data.counts, data.thresholds);
    Ok(Some(scores.accuracy.overall_percent).filter(|&percent| percent >= FITTED))
}

/// What is unusual about the features' scale, for which the learning rates of the literature do not suit.
///
/// # Errors
///
/// If features left in their file can no longer be read.
pub fn scale_warning(data: &DataSet) -> Result<Option<String>> {
    let remarks = data.train.plain.scale()?.remarks().join("; ");
    Ok((!remarks.is_empty()).then(|| {
        format!(
            "the training features are of an unusual scale, for which the learning rates of methods trained by SGD are \
             not made: {remarks}. Train on features = \"standardised\", or read differences between methods with that in mind"
        )
    }))
}

fn of_missing_classes(data: &DataSet) -> Vec<String> {
    let sets = [("test", Some(&data.test)), ("validation", data.validation.as_ref())];
    let of = |(name, set): (&str, Option<&Features>)| {
        let labels = set?.labels.iter().copied();
        let per_class = samples_per_class(labels, data.counts.n_classes());
        let first = per_class.iter().position(|&n| n == 0)?;
        Some(format!(
            "the {name} set has no samples of {} of the {} classes (first: class {first}); averages over classes, and \
             many, medium and few, are over the others",
            per_class.iter().filter(|&&n| n == 0).count(),
            per_class.len(),
        ))
    };
    sets.into_iter().filter_map(of).collect()
}
