//! Checks a recipe: the range of each number, and whether the parts fit together.

use super::{Conditioning, Recipe, Sampler, Solver};
use crate::error::{Error, Result};
use crate::head::HeadKind;
use crate::losses::ClassWeights;

pub(super) fn range(key: &str, ok: bool, expected: &str, found: impl ToString) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::usage(key, expected, found, "")) }
}

impl Recipe {
    /// Checks the ranges of all numbers, and that the parts go together.
    ///
    /// # Errors
    ///
    /// If they do not; the message names the key, what was expected, and the value.
    pub fn check(&self) -> Result<()> {
        self.cost.check()?;
        self.sgd.check()?;
        self.head.check(self.start)?;
        self.sampler.check()?;
        self.check_features()?;
        let trains_weights =
            !matches!(self.head, HeadKind::Scaled | HeadKind::Margin | HeadKind::Gated);
        let expected = "none for a head that keeps its weights";
        range("constraint", trains_weights || self.constraint.is_none(), expected, "max-norm")?;
        let keeps_logits =
            matches!(self.head, HeadKind::Linear | HeadKind::Cosine { .. } | HeadKind::Normalised);
        let expected = "`linear`, `cosine` or `normalised` for a loss with a term of whole batches";
        let found = self.head.rules().name;
        range("head", keeps_logits || !self.cost.loss.is_of_batches(), expected, found)?;
        self.check_solver()?;
        self.check_learned()?;
        self.check_average()?;
        for (key, tau) in [
            ("normalise.tau", self.normalise.map(|n| n.tau)),
            ("adjustment.tau", self.adjustment.map(|a| a.tau)),
            ("zero_shot", self.zero_shot),
            ("constraint.threshold", self.constraint.map(|c| c.threshold)),
        ] {
            let tau = tau.unwrap_or(0.0);
            range(key, tau.is_finite(), "a finite number", tau)?;
        }
        let radius = self.constraint.and_then(|constraint| constraint.radius).unwrap_or(1.0);
        range("constraint.radius", radius.is_finite() && radius > 0.0, "a number > 0", radius)
    }

    /// What is done to features before they are divided by their norm folds into no linear head; a
    /// centre is kept beside it.
    fn check_features(&self) -> Result<()> {
        if let Conditioning::Whitened { shrinkage } = self.features {
            let ok = shrinkage > 0.0 && shrinkage <= 1.0;
            range("features.whitened.shrinkage", ok, "0 < shrinkage <= 1", shrinkage)?;
        }
        let cosine = self.head.rules().normalises_features;
        let folds = matches!(self.features, Conditioning::AsIs | Conditioning::Centred);
        let expected = "`as-is` or `centred` for a cosine or normalised head, which then divides features by their norm";
        range("features", folds || !cosine, expected, "another")?;
        // Neither a gate nor a norm taken about a centre leaves room for another head's logits.
        let ensemble = self.zero_shot.is_none()
            || !(self.head.rules().has_gate || cosine && self.features != Conditioning::AsIs);
        range(
            "zero_shot",
            ensemble,
            "none for a gated head, or one that divides features by their norm about a centre",
            "one",
        )?;
        let added = self.zero_shot.is_some() || !self.zero_shot_debiased;
        range("zero_shot_debiased", added, "false without `zero_shot`", true)?;
        let plain = self.normalise.is_none() || !self.head.rules().has_gate;
        range("normalise", plain, "none for a gated head, whose shift has no norm", "one")
    }

    /// What a learned sampler goes with.
    fn check_learned(&self) -> Result<()> {
        if self.sampler != Sampler::Learned {
            return Ok(());
        }
        let linear = self.head == HeadKind::Linear;
        let expected = "`linear`, with sampler `learned`";
        range("head", linear, expected, self.head.rules().name)?;
        let expected = "none, with sampler `learned`";
        range("constraint", self.constraint.is_none(), expected, "max-norm")?;
        range("nesterov", !self.sgd.nesterov, "false, with sampler `learned`", true)?;
        let expected = "a loss of single samples, with sampler `learned`";
        range("loss", !self.cost.loss.is_of_batches(), expected, self.cost.loss.name())?;
        let areas = self.cost.class_weights == ClassWeights::EffectiveArea;
        let expected = "weights known from the start, with sampler `learned`";
        range("class_weights", !areas, expected, "effective-area")
    }

    /// Solvers minimise a single objective, which not every recipe has.
    fn check_solver(&self) -> Result<()> {
        if self.solver == Solver::Sgd {
            return Ok(());
        }
        range("gap", self.gap.is_finite() && self.gap > 0.0, "a number > 0", self.gap)?;
        let plain = self.head == HeadKind::Linear
            && self.sampler == Sampler::InstanceBalanced
            && self.constraint.is_none()
            && self.cost.defer_weights_to_epoch == 0;
        range(
            "solver",
            plain,
            "`sgd`, as heads that are not linear, samplers, constraints and deferred weights need it",
            format!("{:?}", self.solver).to_lowercase(),
        )?;
        let areas = self.cost.class_weights == ClassWeights::EffectiveArea;
        let expected = "weights that do not depend on batches, as `effective-area` does";
        range("class_weights", !areas, expected, "effective-area")?;
        if let Some(reason) = self.cost.loss.has_no_minimum() {
            let expected = format!("`sgd` for {}, since {reason}", self.cost.loss.name());
            let found = format!("{:?}", self.solver).to_lowercase();
            return Err(Error::usage("solver", expected, found, ""));
        }
        let least_squares = self.solver == Solver::Ridge;
        let default_loss = self.cost.loss == Self::PLAIN.cost.loss;
        range(
            "loss",
            default_loss || !least_squares,
            "`cross-entropy`, the default, since ridge minimises squared errors instead",
            self.cost.loss.name(),
        )
    }
}
