//! A record made again.

use super::{Criterion, DataRecord, HeadRecord, RunRecord, head_sha256, score};
use crate::error::Result;
use crate::features::{DataSet, Features};
use crate::head::Head;
use crate::kernels::instruction_set;
use crate::metrics::{Accuracy, ClassTally, Evaluation, PerSet, TestPart, halves};
use crate::train::{Options, Outcome, Trial, train};

/// Trains the heads of a record again, on data that it is of, and scores them as it says: the
/// heads, in its order, and the record of what came out. Nothing is taken over from the old one
/// that was not computed again, but what names the run: method, seed, selection, recipes and
/// epochs; and what cross-validation gave. What choosing on the test set would have claimed is left out, as no other trials are
/// trained. `progress` is called with the number of head-epochs just completed.
///
/// # Errors
///
/// If a recipe does not suit the data (see [`train`]).
pub fn replay(
    data: &DataSet,
    record: &RunRecord,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<(Vec<Head>, RunRecord)> {
    let up_to = |stop_after: fn(&HeadRecord) -> Option<usize>| {
        record.heads.iter().map(move |head| Trial {
            recipe: head.recipe.clone(),
            seed: record.seed,
            stop_after: stop_after(head),
        })
    };
    // The heads, and the same trials to their ends for the accuracy after every epoch.
    let trials: Vec<Trial> = up_to(|head| Some(head.epoch)).chain(up_to(|_| None)).collect();
    let precision = record.precision;
    let mut outcomes =
        train(data, &trials, &Options { progress, precision, ..Options::default() })?;
    let whole = outcomes.split_off(record.heads.len());
    let heads: Vec<Head> = outcomes.into_iter().map(|outcome| outcome.head).collect();

    let parts: Vec<(&Head, TestPart)> =
        heads.iter().zip(&record.heads).map(|(head, of)| (head, of.scored_on)).collect();
    let evaluation: Evaluation = score(data, record.seed, &parts)?;
    let k = data.counts.n_classes();
    let tally = |set: &Features| {
        let halves = halves(&set.labels, set.groups.as_ref(), record.seed);
        ClassTally::of(&set.labels, &halves, k)
    };
    let samples =
        PerSet { test: tally(&data.test), validation: data.validation.as_ref().map(tally) };
    let accuracy_after = |epoch: usize| {
        let mut hits = vec![0; k];
        for (outcome, head) in whole.iter().zip(&record.heads) {
            let path = &outcome.hits;
            let of_part = path[epoch.min(path.len() - 1)].test.in_part(head.scored_on);
            hits.iter_mut().zip(of_part).for_each(|(sum, hits)| *sum += hits);
        }
        let all = samples.test.in_part(TestPart::All);
        Accuracy::new(&hits, &all, &data.counts, data.thresholds)
    };
    let last = whole.iter().map(|outcome| outcome.hits.len() - 1).max().unwrap_or(0);
    let made_again = |((head, of), outcome): ((&Head, &HeadRecord), &Outcome)| {
        let hits = &outcome.hits[of.epoch.min(outcome.hits.len() - 1)];
        let validation = Criterion::Validation.value(hits, &samples);
        HeadRecord {
            solution: outcome.solution,
            validation_percent: if record.selection.rule.rule().folds {
                of.validation_percent
            } else {
                data.validation.is_some().then_some(validation)
            },
            sha256: head_sha256(head),
            ..of.clone()
        }
    };
    let again = RunRecord {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instruction_set: instruction_set().to_owned(),
        data: DataRecord::of(data)?,
        heads: heads.iter().zip(&record.heads).zip(&whole).map(made_again).collect(),
        evaluation,
        epochs: (0..=last).map(accuracy_after).collect(),
        best_on_test: None,
        ..record.clone()
    };
    Ok((heads, again))
}
