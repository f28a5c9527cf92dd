//! A problem as heads see it.

use std::sync::{Arc, OnceLock};

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::Trial;
use super::problem::{Problem, ScoredSet};
use super::solve::Priors;
use super::transform::{Transform, Within};
use crate::error::Result;
use crate::head::{Head, Start};
use crate::kernels::Input;
use crate::metrics::{PerSet, Views, views};
use crate::numbers::Real;
use crate::recipe::{Conditioning, Recipe, Statistics};

/// Samples read at a time.
const ROWS: usize = 256;

/// A problem as some heads see it: features transformed or divided by their L2 norm, and each
/// scored set packed.
pub(super) struct Seen<'a, R: Real> {
    pub(super) problem: &'a Problem<'a, R>,
    pub(super) how: SeenAs,
    /// What is done to the training features; scored sets stay as they are.
    transform: Option<Transform<R>>,
    /// The stage-1 head on the features as they are seen.
    pub(super) stage_1: Option<Head>,
    /// Class means, `[K, D]`, and what whitenings by the same statistics share: once something needs
    /// them.
    class_means: OnceLock<Array2<f64>>,
    within: [OnceLock<Arc<Within<R>>>; 2],
    pub(super) scored: Option<Arc<PerSet<Views<R>>>>,
    /// What the class vectors' encoder has for priors, once a trial needs it.
    pub(super) priors: OnceLock<Arc<Priors>>,
}

/// How a head sees features.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct SeenAs {
    /// Whether they are divided by their L2 norm.
    pub(super) normalised: bool,
    /// Whether heads have a gate, so that mirrored features are scored one by one.
    pub(super) gated: bool,
    /// Whether they are divided by it before anything else, because the given head does so, from which
    /// the trial starts.
    pub(super) of_unit_norm: bool,
    /// What is done to them first.
    pub(super) conditioning: Conditioning,
    /// By which statistics.
    pub(super) statistics: Statistics,
}

impl SeenAs {
    /// What a trial's head sees.
    pub(super) fn of<R: Real>(trial: &Trial, problem: &Problem<'_, R>) -> Self {
        let rules = trial.recipe.head.rules();
        let (normalised, gated) = (rules.normalises_features, rules.has_gate);
        let by_start = trial.recipe.start == Start::Stage1
            && problem.stage_1.is_some_and(|head| head.normalise_features);
        let of_unit_norm = by_start && !normalised;
        let conditioning = trial.recipe.features;
        let statistics = match conditioning {
            Conditioning::AsIs => Statistics::default(),
            _ => trial.recipe.feature_statistics,
        };
        Self { normalised, gated, of_unit_norm, conditioning, statistics }
    }

    /// That from which the conditioned one is made: the features as they are.
    pub(super) fn base(self) -> Self {
        let conditioning = Conditioning::AsIs;
        let normalised = self.normalised && self.conditioning == conditioning;
        Self { normalised, conditioning, statistics: Statistics::default(), ..self }
    }
}

/// The scored sets of a problem, packed; with `centre` for features divided by their norms.
fn scored<R: Real>(
    problem: &Problem<'_, R>,
    seen_as: SeenAs,
    centre: &[R],
) -> Option<Arc<PerSet<Views<R>>>> {
    let divided = seen_as.normalised || seen_as.of_unit_norm;
    let input = if divided { Input::Normalised { centre } } else { Input::AsIs };
    let pack = |set: &ScoredSet<'_, R>| {
        views((&set.features, set.mirror.as_deref()), problem.dim, input, seen_as.gated)
    };
    problem.scored.as_ref().map(|sets| Arc::new(sets.as_ref().map(pack)))
}

impl<'a, R: Real> Seen<'a, R> {
    /// Features that are not conditioned.
    pub(super) fn new(problem: &'a Problem<'a, R>, seen_as: SeenAs) -> Self {
        let scored = scored(problem, seen_as, &[]);
        let stage_1 = problem.stage_1.cloned();
        let (class_means, within, priors) = Default::default();
        Self {
            problem,
            how: seen_as,
            transform: None,
            stage_1,
            class_means,
            within,
            scored,
            priors,
        }
    }

    /// The features as they are, seen in another way. Unless their norms are divided by, the scored
    /// sets are shared, and the class means if they are known.
    pub(super) fn conditioned(&self, seen_as: SeenAs) -> Result<Self> {
        let transform = Transform::new(seen_as, self)?;
        let mut stage_1 = self.stage_1.clone();
        if let (Some(transform), Some(head)) = (&transform, &mut stage_1) {
            transform.unfold(head);
        }
        let problem = self.problem;
        let (class_means, within, priors) = <(OnceLock<_>, _, _)>::default();
        let means = self.class_means.get().filter(|_| !seen_as.normalised);
        if let (Some(transform), Some(means)) = (&transform, means) {
            class_means.get_or_init(|| transform.points(means));
        }
        let centre = transform.as_ref().filter(|_| seen_as.normalised).map(Transform::mean);
        let scored = centre.map_or(self.scored.clone(), |centre| scored(problem, seen_as, centre));
        let how = seen_as;
        Ok(Self { problem, how, transform, stage_1, class_means, within, scored, priors })
    }

    /// What all whitenings of these features by the same statistics share.
    pub(super) fn within(&self, statistics: Statistics) -> Result<Arc<Within<R>>> {
        let known = &self.within[statistics as usize];
        if known.get().is_none() {
            let within = Arc::new(Within::new(self, statistics)?);
            known.get_or_init(|| within);
        }
        Ok(Arc::clone(known.get().expect("just set")))
    }

    /// Finds the weighted means of the classes as they are seen, `[K, D]`, from which trials start.
    pub(super) fn find_class_means(&self) -> Result<()> {
        if self.class_means.get().is_some() {
            return Ok(());
        }
        let mut sums = Array2::<f64>::zeros(self.problem.shape());
        let mut totals = Array1::<f64>::zeros(sums.nrows());
        self.each_row(|row, values| {
            let (class, weight) = (self.problem.labels[row] as usize, self.problem.weights[row]);
            totals[class] += weight;
            for (sum, value) in sums.row_mut(class).iter_mut().zip(values) {
                *sum += weight * value.to_f64();
            }
        })?;
        sums /= &totals.insert_axis(Axis(1));
        self.class_means.get_or_init(|| sums);
        Ok(())
    }

    /// The mean of class k, once found.
    pub(super) fn class_mean(&self, k: usize) -> ArrayView1<'_, f64> {
        self.class_means.get().expect("found before they are used").row(k)
    }

    /// The head at which a trial starts, on the features as they are seen.
    pub(super) fn start(&self, trial: &Trial) -> Head {
        let Recipe { start, head, .. } = trial.recipe;
        if start == Start::ClassMeans {
            let weight = self.class_means.get().expect("found for every such trial").clone();
            let bias = weight.rows().into_iter().map(|mean| -0.5 * mean.dot(&mean)).collect();
            return Head::linear(weight, bias);
        }
        if let (Start::ClassVectors, Some(vectors)) = (start, self.problem.class_vectors) {
            let mut head = Head { weight: vectors.clone(), ..Head::zeros(0, 0) };
            head.bias = Array1::zeros(vectors.nrows());
            if let Some(transform) = &self.transform {
                transform.unfold(&mut head);
            }
            return head;
        }
        start.head(head, self.stage_1.as_ref(), trial.seed, self.problem.shape())
    }

    /// Makes a trained head on the features as they are seen the one to use: normalised and adjusted,
    /// on the features as they are, with its share of the zero-shot head.
    pub(super) fn finish(&self, recipe: &Recipe, head: &mut Head) {
        recipe.finish(head, self.problem.counts);
        if let Some(transform) = &self.transform {
            if self.how.normalised {
                head.centre = Some(transform.exact_mean());
            } else {
                transform.fold(head);
            }
        }
        head.normalise_features |= self.how.of_unit_norm;
        if let (Some(share), Some(vectors)) = (recipe.zero_shot, self.problem.class_vectors) {
            head.weight.scaled_add(share, vectors);
            let priors = self.priors.get().filter(|_| recipe.zero_shot_debiased);
            if let Some(minus_log_prior) = priors.and_then(|priors| priors.of(share)) {
                head.bias += minus_log_prior;
            }
        }
    }

    /// Calls `work` with the number and the features of every sample of every view.
    pub(super) fn each_row(&self, mut work: impl FnMut(usize, &[R])) -> Result<()> {
        let all: Vec<u32> = (0..self.problem.labels.len() as u32).collect();
        let mut gathered = Vec::new();
        for view in 0..self.problem.views.len() {
            for rows in all.chunks(ROWS) {
                self.gather(view, rows, &mut gathered)?;
                for (&row, values) in rows.iter().zip(gathered.chunks_exact(self.problem.dim)) {
                    work(row as usize, values);
                }
            }
        }
        Ok(())
    }

    /// Reads the samples `rows` of view number `view` into `out`, `[B, D]`.
    pub(super) fn gather(&self, view: usize, rows: &[u32], out: &mut Vec<R>) -> Result<()> {
        let dim = self.problem.dim;
        let rows = rows.iter().map(|&row| row as usize);
        self.problem.views[view].gather(rows, dim, out)?;
        if self.how.of_unit_norm {
            crate::kernels::normalise_rows(out, dim);
        }
        if let Some(transform) = &self.transform {
            transform.apply(out);
        }
        if self.how.normalised {
            crate::kernels::normalise_rows(out, dim);
        }
        Ok(())
    }
}
