//! Heads that are averages of others, folded into one.

use serde::{Deserialize, Serialize};

use super::check::range;
use super::{Conditioning, Recipe, Solver};
use crate::error::Result;

/// Another head that is averaged with a recipe's own.
///
/// ```text
/// z = (1 − share) z₁ + share (s₁ / s₂) z₂
/// ```
///
/// with s the mean over training samples of the standard deviation of a head's logits, so that neither
/// decides alone because its logits are larger; the average has the scale of the recipe's own head. With
/// the head it starts from, this is the ensemble in weight space of Wortsman et al., CVPR 2022 (WiSE-FT),
/// who take logits as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// How the other head is trained.
    pub with: Box<Recipe>,
    /// How much it counts, 0..=1.
    #[serde(default = "half")]
    pub share: f64,
}

fn half() -> f64 {
    0.5
}

impl Recipe {
    /// Whether the head is an average of several.
    pub fn is_average(&self) -> bool {
        self.runs > 1 || self.ensemble.is_some()
    }

    /// Whether there are epochs to choose from: not for solvers, nor for averages, whose heads are each
    /// trained to their end. Both count as a single epoch.
    pub fn has_course(&self) -> bool {
        self.solver == Solver::Sgd && !self.is_average()
    }

    /// Number of epochs to choose from.
    pub(crate) fn course(&self) -> usize {
        if self.has_course() { self.sgd.epochs } else { 1 }
    }

    /// Number of epochs that all heads are trained for, with 1 for a solver's run.
    pub fn head_epochs(&self) -> usize {
        let own = if self.solver == Solver::Sgd { self.sgd.epochs } else { 1 };
        own * self.runs + self.ensemble.as_ref().map_or(0, |other| other.with.head_epochs())
    }

    /// What can be averaged.
    pub(super) fn check_average(&self) -> Result<()> {
        range("runs", self.runs > 0, "at least 1", self.runs)?;
        let differ = self.solver == Solver::Sgd && self.sgd.epochs > 0;
        let expected = "1 for what does not depend on the seed";
        range("runs", self.runs == 1 || differ, expected, self.runs)?;
        let averages = |recipe: &Self, key: &str| {
            let rules = recipe.head.rules();
            let expected = "a head without a gate or a centre, in an average";
            let centred = rules.normalises_features && recipe.features != Conditioning::AsIs;
            range(key, !rules.has_gate && !centred, expected, rules.name)
        };
        if self.is_average() {
            averages(self, "head")?;
        }
        let Some(Ensemble { with, share }) = &self.ensemble else { return Ok(()) };
        range("ensemble.share", (0.0..=1.0).contains(share), "a number from 0 to 1", share)?;
        let expected = "a recipe of one head, without an average of its own";
        range("ensemble.with", !with.is_average(), expected, "another average")?;
        with.check()?;
        averages(with, "ensemble.with.head")?;
        let kinds = [self, with].map(|recipe| recipe.head.rules().normalises_features);
        let expected = "a cosine head beside a cosine head, and none beside others";
        range("ensemble.with.head", kinds[0] == kinds[1], expected, with.head.rules().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::find;
    use serde_json::json;

    #[test]
    fn what_cannot_be_averaged_is_refused() {
        let message = |name: &str, path: &str, value| {
            find(name).unwrap().recipe.with(path, &value).unwrap_err().to_string()
        };
        assert!(message("los", "runs", json!(0)).contains("at least 1"));
        assert!(message("ridge", "runs", json!(2)).contains("depend on the seed"));
        assert!(message("tau-norm", "runs", json!(2)).contains("depend on the seed"));
        assert!(message("disalign", "runs", json!(2)).contains("without a gate"));
        let with = |name: &str| json!({"with": find(name).unwrap().recipe});
        assert!(message("los", "ensemble", with("disalign")).contains("without a gate"));
        assert!(message("los", "ensemble", with("cosine")).contains("beside a cosine head"));
        let nested = find("los+with-ridge").unwrap().recipe;
        assert!(message("los", "ensemble", json!({"with": nested})).contains("one head"));
        assert!(message("los+with-ridge", "ensemble.share", json!(1.5)).contains("from 0 to 1"));
        assert!(message("los+with-ridge", "ensemble.with.lr", json!(-1)).contains("lr"));
        let toml = toml::to_string(&find("los+averaged+with-ridge").unwrap().recipe).unwrap();
        let recipe = Recipe::from_toml(&toml, "").unwrap();
        assert_eq!((recipe.runs, recipe.ensemble.unwrap().share), (4, 0.5), "{toml}");
    }
}
