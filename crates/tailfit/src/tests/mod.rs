//! Tests in f64, the number type of the golden files, which is not public.

mod contract;
pub(crate) mod heads;
mod losses;
mod others;
mod rules;
mod solvers;
#[allow(dead_code, reason = "the integration tests use all of it")]
#[path = "../../tests/it/support.rs"]
pub(crate) mod support;

use std::borrow::Cow;

use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::numbers::Real;
use crate::train::{NOTHING, Options, Problem, View};

/// A problem with features in memory and nothing to score.
pub(crate) fn problem<'a, R: Real>(
    features: &'a [R],
    labels: &'a [u32],
    counts: &'a ClassCounts,
    stage_1: Option<&'a Head>,
) -> Problem<'a, R> {
    let (views, dim) = (vec![View::Memory(Cow::Borrowed(features))], features.len() / labels.len());
    let weights = vec![1.0; labels.len()];
    Problem {
        views,
        dim,
        labels,
        weights,
        counts,
        stage_1,
        class_vectors: None,
        known: &NOTHING,
        scored: None,
    }
}

/// Options for training with nothing to score.
pub(crate) fn unscored<'a>() -> Options<'a> {
    Options { score_every_epoch: false, ..Options::default() }
}
