//! Ranges of a recipe's numbers, and what goes together.

use super::{Recipe, Start};
use crate::error::{Error, Result};
use crate::head::HeadKind;
use crate::sampler::Sampler;
use crate::solver::Solver;

impl Recipe {
    /// Checks the ranges of all numbers.
    ///
    /// # Errors
    ///
    /// Names the key, its range and the value.
    pub fn check(&self) -> Result<()> {
        self.loss.check()?;
        self.class_weights.check()?;
        let range = |key: &str, ok: bool, expected: &str, found: String| {
            if ok { Ok(()) } else { Err(Error::usage(key, expected, found, "")) }
        };
        let not_negative = |v: f64| v.is_finite() && v >= 0.0;
        range("lr", not_negative(self.lr), "a finite number >= 0", self.lr.to_string())?;
        range("batch_size", self.batch_size > 0, "at least 1", self.batch_size.to_string())?;
        range(
            "momentum",
            (0.0..1.0).contains(&self.momentum),
            "0 <= momentum < 1",
            self.momentum.to_string(),
        )?;
        range(
            "weight_decay",
            not_negative(self.weight_decay),
            "a finite number >= 0",
            self.weight_decay.to_string(),
        )?;
        if let HeadKind::Cosine { scale } = self.head {
            let ok = scale.is_finite() && scale > 0.0;
            range("head.cosine.scale", ok, "a finite number > 0", scale.to_string())?;
            range(
                "start",
                self.start != Start::Zero,
                "`stage-1` or `random` for a cosine head",
                "`zero`, which has no direction".to_owned(),
            )?;
        }
        if let HeadKind::Scaled = self.head {
            range(
                "start",
                self.start == Start::Stage1,
                "`stage-1`, whose weights a scaled head keeps",
                format!("{:?}", self.start).to_lowercase(),
            )?;
        }
        self.schedule.check()?;
        self.sampler.check()?;
        self.check_solver(&range)?;
        for (key, tau) in [
            ("normalise.tau", self.normalise.map(|n| n.tau)),
            ("adjustment.tau", self.adjustment.map(|a| a.tau)),
            ("constraint.threshold", self.constraint.map(|c| c.threshold)),
        ] {
            let tau = tau.unwrap_or(0.0);
            range(key, tau.is_finite(), "a finite number", tau.to_string())?;
        }
        Ok(())
    }

    /// Solvers reach the minimum of one objective, which not every recipe has.
    fn check_solver(&self, range: &dyn Fn(&str, bool, &str, String) -> Result<()>) -> Result<()> {
        if self.solver == Solver::Sgd {
            return Ok(());
        }
        let gap_ok = self.gap.is_finite() && self.gap >= 1e-6;
        range("gap", gap_ok, "a number >= 1e-6, what f32 can tell", self.gap.to_string())?;
        let plain = self.head == HeadKind::Linear
            && self.sampler == Sampler::InstanceBalanced
            && self.constraint.is_none()
            && self.defer_weights_to_epoch == 0;
        range(
            "solver",
            plain,
            "`sgd`, for a cosine or scaled head, a sampler, a constraint or deferred weights",
            format!("{:?}", self.solver).to_lowercase(),
        )?;
        let least_squares = self.solver == Solver::Ridge;
        let default_loss = self.loss == Self::PLAIN.loss;
        range(
            "loss",
            default_loss || !least_squares,
            "`cross-entropy`, the default, since ridge has squares of its own",
            self.loss.name(),
        )
    }
}
