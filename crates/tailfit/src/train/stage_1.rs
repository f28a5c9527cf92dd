//! Trains a stage-1 head for features that come without one.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use super::{NEVER, Options, Problem, Trial, train_on};
use crate::error::{Error, Result};
use crate::features::{DataSet, HeadFile};
use crate::head::Start;
use crate::recipe::{Conditioning, Recipe, Sgd};

/// Trains a stage-1 head and adds it to the data set: cross-entropy from a random start, the
/// paper's schedule, weight decay 5e-4, seed 0. Of four learning rates, on features as they are and
/// standardised, it takes the trial with the smallest final training loss, without looking at any
/// other set. It always trains in f32, so the head is the same on every machine.
///
/// # Errors
///
/// If every learning rate diverges.
pub fn train_stage_1(data: &mut DataSet) -> Result<()> {
    train_stage_1_until(data, &NEVER)
}

/// As [`train_stage_1`], ended soon once `stop` is set.
///
/// # Errors
///
/// If every learning rate diverges, or it was stopped.
pub fn train_stage_1_until(data: &mut DataSet, stop: &AtomicBool) -> Result<()> {
    let recipe = |(features, lr)| Recipe {
        features,
        start: Start::Random,
        sgd: Sgd { lr, weight_decay: 5e-4, ..Recipe::PLAIN.sgd },
        ..Recipe::PLAIN
    };
    let each = [Conditioning::AsIs, Conditioning::Standardised]
        .into_iter()
        .flat_map(|features| [1e-3, 1e-2, 0.1, 1.0].map(|lr| (features, lr)));
    let trials: Vec<Trial> =
        each.map(|each| Trial { recipe: recipe(each), seed: 0, stop_after: None }).collect();
    let options = Options { score_every_epoch: false, stop, ..Options::default() };
    let outcomes = train_on(&Problem::of(data, false)?, &trials, &options)?;
    let loss = |i: &usize| outcomes[*i].train_loss.last().copied().unwrap_or(f64::NAN);
    let finite = (0..trials.len()).filter(|i| loss(i).is_finite());
    let best = finite.min_by(|a, b| loss(a).total_cmp(&loss(b))).ok_or_else(|| {
        let remedy = "scale them, for example to unit variance, or give a head";
        Error::data("training features", "features a head can be trained on", "divergence", remedy)
            .answered_by("head")
    })?;
    let Sgd { epochs, lr, .. } = &trials[best].recipe.sgd;
    let features = match trials[best].recipe.features {
        Conditioning::AsIs => "features as they are",
        _ => "features standardised",
    };
    data.stage_1_origin = format!(
        "trained here, none was given: cross-entropy from a random start, {features}, {epochs} epochs, learning rate \
         {lr} (smallest training loss of eight), weight decay 5e-4, seed 0"
    );
    let head = outcomes[best].head.clone();
    data.stage_1 = Some(HeadFile::new(head, "fc", HashMap::new()));
    Ok(())
}
