//! Trials whose head is the average of several: of several seeds, or of two recipes.

use std::collections::BTreeMap;

use super::scoring::Scoring;
use super::seen::SeenAs;
use super::{Options, Outcome, Problem, Trial, train_on};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::numbers::Real;
use crate::recipe::Recipe;

/// Bytes that the heads of trials at work may take.
const MEMORY: usize = 1 << 30;

/// Seeds of the runs of one trial are so far apart that those of a comparison do not meet them.
const APART: u32 = 32;

/// As [`train_on`], for trials of which some are averages. Heads that several averages share are trained
/// once.
pub(super) fn train<R: Real>(
    problem: &Problem<'_, R>,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    for trial in trials {
        check(problem, trial)?;
    }
    let (averages, others): (Vec<Trial>, Vec<Trial>) =
        trials.iter().cloned().partition(|trial| trial.recipe.is_average());
    let mut others = train_on(problem, &others, options)?.into_iter();
    let scoring = Scoring::new(problem);
    let of_head = 8 * problem.counts.n_classes() * problem.dim;
    // The members of a trial and of its start, and their averages.
    let heads = averages.iter().map(|trial| 2 * (trial.recipe.runs + 2)).max().unwrap_or(1);
    let mut outcomes = Vec::new();
    for portion in averages.chunks((MEMORY / (of_head * heads).max(1)).max(1)) {
        outcomes.extend(average(&scoring, portion, options)?);
    }
    let mut averages = outcomes.into_iter();
    let next = |trial: &Trial| {
        if trial.recipe.is_average() { averages.next() } else { others.next() }
    };
    Ok(trials.iter().filter_map(next).collect())
}

/// Two heads of which only one divides features by their norms have no average.
fn check<R: Real>(problem: &Problem<'_, R>, trial: &Trial) -> Result<()> {
    trial.recipe.check()?;
    let Some(other) = &trial.recipe.ensemble else { return Ok(()) };
    let divides = |recipe: &Recipe| {
        let how = SeenAs::of(&Trial { recipe: recipe.clone(), ..trial.clone() }, problem);
        how.normalised || how.of_unit_norm
    };
    if divides(&trial.recipe) == divides(&other.with) {
        return Ok(());
    }
    let expected = "two heads that divide features by their norms, or two that do not";
    let remedy = "take another method; what starts from a given cosine head is one too";
    Err(Error::usage("ensemble", expected, "one of each kind", remedy))
}

/// The trials of one head each of which a trial is the average: those of its own recipe, and the other.
fn members(trial: &Trial) -> (Vec<Trial>, Option<Trial>) {
    let stop_after = if trial.epochs() == 0 { Some(0) } else { None };
    let one = |recipe: &Recipe, run: usize| Trial {
        recipe: Recipe { runs: 1, ensemble: None, ..recipe.clone() },
        seed: trial.seed.wrapping_add((run as u64) << APART),
        stop_after,
    };
    let own = (0..trial.recipe.runs).map(|run| one(&trial.recipe, run)).collect();
    (own, trial.recipe.ensemble.as_ref().map(|other| one(&other.with, 0)))
}

/// Trains the members of all trials, each once, and averages them.
fn average<R: Real>(
    scoring: &Scoring<'_, R>,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    // The starts of the members, whose average is epoch 0, are trials of no epochs.
    let start = |trial: &Trial| Trial { stop_after: Some(0), ..trial.clone() };
    let mut with_starts = trials.to_vec();
    if options.score_every_epoch {
        with_starts.extend(trials.iter().map(start));
    }
    let mut distinct: Vec<Trial> = Vec::new();
    let mut place = |member: Trial| {
        distinct.iter().position(|known| *known == member).unwrap_or_else(|| {
            distinct.push(member);
            distinct.len() - 1
        })
    };
    let mut places = |trial: &Trial| {
        let (own, other) = members(trial);
        (own.into_iter().map(&mut place).collect(), other.map(&mut place))
    };
    let places: Vec<(Vec<usize>, Option<usize>)> = with_starts.iter().map(&mut places).collect();
    let of_members = Options { score_every_epoch: false, keep_heads: true, ..*options };
    let trained = train_on(scoring.problem(), &distinct, &of_members)?;
    let mut averager = Averager { scoring, trained, scales: BTreeMap::new() };
    let mut outcomes = Vec::new();
    for (trial, (own, other)) in with_starts.iter().zip(places) {
        let mut outcome = averager.outcome(trial, own, other)?;
        if !options.keep_heads {
            outcome.head = Head::zeros(0, 0);
        }
        outcomes.push(outcome);
    }
    let starts = outcomes.split_off(trials.len());
    for ((trial, outcome), start) in trials.iter().zip(&mut outcomes).zip(starts) {
        if trial.epochs() > 0 {
            outcome.hits.splice(0..0, start.hits);
        }
    }
    Ok(outcomes)
}

/// Averages of trained members.
struct Averager<'a, 'b, R: Real> {
    scoring: &'a Scoring<'b, R>,
    trained: Vec<Outcome>,
    /// Scales of the logits of averages, by their members.
    scales: BTreeMap<Vec<usize>, f64>,
}

impl<R: Real> Averager<'_, '_, R> {
    /// What comes out of a trial whose members have these places.
    fn outcome(&mut self, trial: &Trial, own: Vec<usize>, other: Option<usize>) -> Result<Outcome> {
        let members: Vec<usize> = own.iter().copied().chain(other).collect();
        let losses = || members.iter().flat_map(|&i| &self.trained[i].train_loss);
        let last = members.iter().filter_map(|&i| self.trained[i].train_loss.last());
        let loss = if losses().all(|loss| loss.is_finite()) {
            last.clone().sum::<f64>() / last.count().max(1) as f64
        } else {
            f64::NAN
        };
        let heads: Vec<Head> = own.iter().map(|&i| self.trained[i].head.clone()).collect();
        let mut head = Head::average(&heads, None)?;
        if let (Some(other), Some(ensemble)) = (other, &trial.recipe.ensemble) {
            let mut second = self.trained[other].head.clone();
            let ratio = self.scale(own, &head)? / self.scale(vec![other], &second)?;
            if ratio.is_finite() && ratio > 0.0 {
                second.weight *= ratio;
                second.bias *= ratio;
            }
            let shares = [1.0 - ensemble.share, ensemble.share];
            head = Head::average(&[head, second], Some(&shares))?;
        }
        let head = if R::SINGLE { head.rounded() } else { head };
        Ok(Outcome {
            train_loss: if trial.epochs() > 0 { vec![loss] } else { vec![] },
            hits: self.scoring.score(&head, trial.seed).into_iter().collect(),
            head,
            solution: None,
        })
    }

    fn scale(&mut self, members: Vec<usize>, head: &Head) -> Result<f64> {
        if let Some(&known) = self.scales.get(&members) {
            return Ok(known);
        }
        let scale = self.scoring.scale(head)?;
        self.scales.insert(members, scale);
        Ok(scale)
    }
}
