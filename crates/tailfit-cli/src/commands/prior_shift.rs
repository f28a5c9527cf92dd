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

/// What is added to each class's logits, `[K]`.
pub(super) fn shift(
    args: &PredictArgs,
    file: &HeadFile,
    features: &Unlabelled,
) -> Result<Vec<f64>> {
    let k = file.head.n_classes();
    let estimated = args.target_prior == Some(TargetPrior::Estimated);
    if !args.val.is_empty() && !estimated {
        let remedy = "labelled samples are for estimating a prior alone";
        return Err(Error::usage("--val", "--target-prior estimated", "another", remedy).into());
    }
    let Some(target) = &args.target_prior else { return Ok(vec![0.0; k]) };
    let counts = file.class_counts();
    let assumed = args.head_prior.prior().frequencies(k, counts.as_ref())?;
    let prior = match (estimated, args.val.is_empty()) {
        (false, _) => target.frequencies(k, counts.as_ref())?,
        (true, true) => by_probabilities(args, file, features, &assumed)?,
        (true, false) => by_confusion(args, file, features)?,
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

fn by_confusion(args: &PredictArgs, file: &HeadFile, features: &Unlabelled) -> Result<Vec<f64>> {
    let reading = Reading {
        labels: &args.val_labels,
        label_column: args.label_column.as_deref(),
        group_column: args.group_column.as_deref(),
        label_base: args.label_base,
        storage: Storage::MEMORY,
    };
    let read = Features::read(&args.val, &reading).map_err(|error| naming(error, "val_labels"))?;
    let labelled = read.like_head(file, "validation set")?;
    let predicted = |features: &Unlabelled| -> Result<Predictions> {
        let mut predictions = Predictions::default();
        features.blocks(|plain, mirror| {
            predictions.extend(predict(mean_logits(&file.head, plain, mirror).view(), 1));
            Ok(())
        })?;
        Ok(predictions)
    };
    let labels = labelled.labels.clone();
    let here = predicted(&Unlabelled::of(labelled))?;
    let pairs: Vec<(u32, u32)> = labels.into_iter().zip(here.classes).collect();
    let predictions = predicted(features)?.counts(file.head.n_classes());
    Ok(estimate_prior_by_confusion(&pairs, &predictions)?)
}
