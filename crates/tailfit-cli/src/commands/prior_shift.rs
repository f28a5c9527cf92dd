//! What `tailfit predict` adds to logits for a target prior.

use anyhow::Result;
use ndarray::Array2;
use tailfit::error::Error;
use tailfit::features::{Features, HeadFile, Reading, Storage, Unlabelled};
use tailfit::probabilities::{
    Predictions, TargetPrior, estimate_prior, estimate_prior_by_confusion, log_ratio, mean_logits,
    predict, softmax,
};

use super::input::naming;
use crate::args::PredictArgs;

/// A head's file, and the names of its classes, if known.
type Named<'a> = (&'a HeadFile, Option<&'a [String]>);

/// Checks what goes with what.
pub(super) fn check(args: &PredictArgs) -> Result<()> {
    match &args.target_prior {
        Some(other) if !args.val.is_empty() && *other != TargetPrior::Estimated => {
            let remedy = "labelled samples are for estimating a prior alone";
            let expected = "--target-prior estimated";
            Err(Error::usage("--val", expected, other, remedy).into())
        }
        _ => Ok(()),
    }
}

/// What is added to each class's logits, `[K]`.
pub(super) fn shift(
    args: &PredictArgs,
    named: Named<'_>,
    features: &Unlabelled,
) -> Result<Vec<f64>> {
    let (file, k) = (named.0, named.0.head.n_classes());
    let Some(target) = &args.target_prior else { return Ok(vec![0.0; k]) };
    let counts = file.class_counts();
    let assumed = args.head_prior.prior().frequencies(k, counts.as_ref())?;
    let prior = match target {
        TargetPrior::Estimated if args.val.is_empty() => {
            by_probabilities(args, file, features, &assumed)?
        }
        TargetPrior::Estimated => by_confusion(args, named, features)?,
        known => known.frequencies(k, counts.as_ref())?,
    };
    Ok(log_ratio(&prior, &assumed))
}

/// The rounds of this estimate go through all probabilities again and again, so they are held in
/// memory: of every sample, or of every so many.
fn by_probabilities(
    args: &PredictArgs,
    file: &HeadFile,
    features: &Unlabelled,
    assumed: &[f64],
) -> Result<Vec<f64>> {
    let k = file.head.n_classes();
    let most = (args.memory * f64::from(1 << 30) / (8 * k) as f64).max(1.0);
    let every = (features.len() as f64 / most).ceil().max(1.0) as usize;
    let (mut values, mut row) = (Vec::new(), 0);
    features.blocks(|plain, mirror| {
        let probabilities = softmax(mean_logits(&file.head, plain, mirror), &vec![0.0; k]);
        for of_row in probabilities.rows() {
            if row % every == 0 {
                values.extend(of_row);
            }
            row += 1;
        }
        Ok(())
    })?;
    let all = Array2::from_shape_vec((values.len() / k, k), values)?;
    Ok(estimate_prior(all.view(), assumed))
}

fn by_confusion(
    args: &PredictArgs,
    (file, names): Named<'_>,
    features: &Unlabelled,
) -> Result<Vec<f64>> {
    let reading = Reading {
        labels: &args.val_labels,
        label_column: args.label_column.as_deref(),
        group_column: args.group_column.as_deref(),
        label_base: args.label_base,
        storage: Storage::MEMORY,
    };
    let read = Features::read(&args.val, &reading).map_err(|error| naming(error, "val_labels"))?;
    let labelled = read.like_head(file, names, "validation set")?;
    let labels = labelled.labels.clone();
    let k = file.head.n_classes();
    let mut is_there = vec![false; k];
    for &label in &labels {
        is_there[label as usize] = true;
    }
    let absent: Vec<String> = (0..k)
        .filter(|&class| !is_there[class])
        .map(|class| names.and_then(|names| names.get(class).cloned()).unwrap_or(class.to_string()))
        .collect();
    if !absent.is_empty() {
        let some: Vec<&str> = absent.iter().take(8).map(String::as_str).collect();
        let found = format!("none of {} of {k}: {}", absent.len(), some.join(", "));
        let remedy = "label some, or leave --val out: probabilities alone then decide";
        return Err(Error::data("validation set", "samples of each class", found, remedy).into());
    }
    let labelled = match features.columns() {
        Some(columns) => Unlabelled::of(labelled).in_order_of(columns, "validation set")?,
        None => Unlabelled::of(labelled),
    };
    // Mirrored images only if both sets have them: it must be the same predictor.
    let mirrored = labelled.is_mirrored() && features.is_mirrored();
    let predicted = |features: &Unlabelled| -> Result<Predictions> {
        let mut predictions = Predictions::default();
        features.blocks(|plain, mirror| {
            let logits = mean_logits(&file.head, plain, mirror.filter(|_| mirrored));
            predictions.extend(predict(logits.view(), 1));
            Ok(())
        })?;
        Ok(predictions)
    };
    let here = predicted(&labelled)?;
    let pairs: Vec<(u32, u32)> = labels.into_iter().zip(here.classes).collect();
    let predictions = predicted(features)?.counts(k);
    Ok(estimate_prior_by_confusion(&pairs, &predictions)?)
}
