//! Trials whose head is the average of several: of several seeds, or of two recipes.

use std::cell::OnceCell;

use ndarray::Array2;

use super::seen::{Seen, SeenAs};
use super::solve::score;
use super::{Options, Outcome, Problem, Solution, Trial, train_on};
use crate::error::Result;
use crate::head::Head;
use crate::metrics::{ClassTally, PerSet};
use crate::numbers::Real;
use crate::recipe::{Conditioning, Recipe, Statistics};

/// Training samples by which the scales of two heads are compared.
const SAMPLES: usize = 1000;

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
        trial.recipe.check()?;
    }
    let (averages, others): (Vec<Trial>, Vec<Trial>) =
        trials.iter().cloned().partition(|trial| trial.recipe.is_average());
    let mut others = train_on(problem, &others, options)?.into_iter();
    let mut averages = train_averages(problem, &averages, options)?.into_iter();
    let next = |trial: &Trial| {
        if trial.recipe.is_average() { averages.next() } else { others.next() }
    };
    Ok(trials.iter().filter_map(next).collect())
}

fn train_averages<R: Real>(
    problem: &Problem<'_, R>,
    trials: &[Trial],
    options: &Options<'_>,
) -> Result<Vec<Outcome>> {
    let scoring = Scoring { problem, seen: [OnceCell::new(), OnceCell::new()] };
    let mut outcomes = average(&scoring, trials, options)?;
    if options.score_every_epoch {
        let at_start = |trial: &Trial| Trial { stop_after: Some(0), ..trial.clone() };
        let starts: Vec<Trial> = trials.iter().map(at_start).collect();
        let silent = Options { progress: &|_| {}, ..*options };
        let starts = average(&scoring, &starts, &silent)?;
        for ((trial, outcome), start) in trials.iter().zip(&mut outcomes).zip(starts) {
            if trial.epochs() > 0 {
                outcome.hits.splice(0..0, start.hits);
            }
        }
    }
    if !options.keep_heads {
        for outcome in &mut outcomes {
            outcome.head = Head::zeros(0, 0);
        }
    }
    Ok(outcomes)
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
    let mut distinct: Vec<Trial> = Vec::new();
    let mut place = |member: Trial| {
        distinct.iter().position(|known| *known == member).unwrap_or_else(|| {
            distinct.push(member);
            distinct.len() - 1
        })
    };
    let places: Vec<(Vec<usize>, Option<usize>)> = trials
        .iter()
        .map(|trial| {
            let (own, other) = members(trial);
            (own.into_iter().map(&mut place).collect(), other.map(&mut place))
        })
        .collect();
    let options = Options { score_every_epoch: false, keep_heads: true, ..*options };
    let trained = train_on(scoring.problem, &distinct, &options)?;
    let each = |(trial, (own, other)): (&Trial, &(Vec<usize>, Option<usize>))| {
        let heads: Vec<Head> = own.iter().map(|&i| trained[i].head.clone()).collect();
        let mut head = Head::average(&heads, None)?;
        if let (Some(other), Some(ensemble)) = (other, &trial.recipe.ensemble) {
            let mut second = trained[*other].head.clone();
            let ratio = scoring.scale(&head)? / scoring.scale(&second)?;
            if ratio.is_finite() && ratio > 0.0 {
                second.weight *= ratio;
                second.bias *= ratio;
            }
            let shares = [1.0 - ensemble.share, ensemble.share];
            head = Head::average(&[head, second], Some(&shares))?;
        }
        let head = if R::SINGLE { head.rounded() } else { head };
        let members = || own.iter().chain(other).map(|&i| &trained[i]);
        let losses: Vec<f64> =
            members().filter_map(|member| member.train_loss.last().copied()).collect();
        let mean = losses.iter().sum::<f64>() / losses.len().max(1) as f64;
        let worst = |a: Solution, b: Solution| Solution {
            gap: a.gap.zip(b.gap).map(|(a, b)| a.max(b)),
            passes: a.passes + b.passes,
        };
        Ok(Outcome {
            train_loss: if trial.epochs() > 0 { vec![mean] } else { vec![] },
            hits: scoring.score(&head, trial.seed).into_iter().collect(),
            head,
            solution: members().filter_map(|member| member.solution).reduce(worst),
        })
    };
    trials.iter().zip(&places).map(each).collect()
}

/// The features as finished heads see them: as they are, or divided by their norms.
struct Scoring<'a, R: Real> {
    problem: &'a Problem<'a, R>,
    seen: [OnceCell<Seen<'a, R>>; 2],
}

impl<R: Real> Scoring<'_, R> {
    fn seen_by(&self, head: &Head) -> &Seen<'_, R> {
        let normalised = head.normalise_features;
        self.seen[usize::from(normalised)].get_or_init(|| {
            let how = SeenAs {
                normalised,
                gated: false,
                of_unit_norm: false,
                conditioning: Conditioning::AsIs,
                statistics: Statistics::default(),
            };
            Seen::new(self.problem, how)
        })
    }

    fn score(&self, head: &Head, seed: u64) -> Option<PerSet<ClassTally>> {
        score(self.seen_by(head), head, seed)
    }

    /// Mean over training samples of the standard deviation of a head's logits.
    fn scale(&self, head: &Head) -> Result<f64> {
        let n = self.problem.labels.len();
        let rows: Vec<u32> = (0..n as u32).step_by(n.div_ceil(SAMPLES)).collect();
        let mut values = Vec::new();
        self.seen_by(head).gather(0, &rows, &mut values)?;
        let dim = self.problem.dim;
        let x =
            Array2::from_shape_fn((rows.len(), dim), |(i, j)| values[i * dim + j].to_f64() as f32);
        Ok(head.logits(x.view()).rows().into_iter().map(|z| z.std(0.0)).sum::<f64>()
            / rows.len() as f64)
    }
}
