//! Ranges of a recipe's numbers, and what goes together.

use super::{Recipe, Sampler, Solver};
use crate::error::{Error, Result};
use crate::head::HeadKind;

fn range(key: &str, ok: bool, expected: &str, found: impl ToString) -> Result<()> {
    if ok { Ok(()) } else { Err(Error::usage(key, expected, found, "")) }
}

impl Recipe {
    /// Checks the ranges of all numbers.
    ///
    /// # Errors
    ///
    /// Names the key, its range and the value.
    pub fn check(&self) -> Result<()> {
        self.cost.check()?;
        self.sgd.check()?;
        self.head.check(self.start)?;
        self.sampler.check()?;
        self.check_solver()?;
        for (key, tau) in [
            ("normalise.tau", self.normalise.map(|n| n.tau)),
            ("adjustment.tau", self.adjustment.map(|a| a.tau)),
            ("constraint.threshold", self.constraint.map(|c| c.threshold)),
        ] {
            let tau = tau.unwrap_or(0.0);
            range(key, tau.is_finite(), "a finite number", tau)?;
        }
        Ok(())
    }

    /// Solvers reach the minimum of one objective, which not every recipe has.
    fn check_solver(&self) -> Result<()> {
        if self.solver == Solver::Sgd {
            return Ok(());
        }
        let gap_ok = self.gap.is_finite() && self.gap >= 1e-6;
        range("gap", gap_ok, "a number >= 1e-6, what f32 can tell", self.gap)?;
        let plain = self.head == HeadKind::Linear
            && self.sampler == Sampler::InstanceBalanced
            && self.constraint.is_none()
            && self.cost.defer_weights_to_epoch == 0;
        range(
            "solver",
            plain,
            "`sgd`, for a cosine or scaled head, a sampler, a constraint or deferred weights",
            format!("{:?}", self.solver).to_lowercase(),
        )?;
        let least_squares = self.solver == Solver::Ridge;
        let default_loss = self.cost.loss == Self::PLAIN.cost.loss;
        range(
            "loss",
            default_loss || !least_squares,
            "`cross-entropy`, the default, since ridge has squares of its own",
            self.cost.loss.name(),
        )
    }
}
