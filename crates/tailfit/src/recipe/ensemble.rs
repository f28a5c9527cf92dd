//! Heads that are averages of others, folded into one.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::check::range;
use super::{Conditioning, Recipe, Solver};
use crate::error::Result;
use crate::head::Start;

/// Most heads of an average over seeds.
const MOST_RUNS: usize = 1000;

/// Another head that is averaged with a recipe's own.
///
/// ```text
/// z = (1 − share) z₁ + share (s₁ / s₂) z₂
/// ```
///
/// with s the mean over training samples, by their weights, of the standard deviation of a head's logits,
/// so that neither decides alone because its logits are larger; the average has the scale of the recipe's
/// own head. With the head it starts from, this is the ensemble in weight space of Wortsman et al., CVPR 2022 (WiSE-FT),
/// who take logits as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// How the other head is trained.
    #[serde(deserialize_with = "on_plain")]
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
        let of = |recipe: &Self| if recipe.solver == Solver::Sgd { recipe.sgd.epochs } else { 1 };
        self.of_heads().map(|recipe| recipe.runs * of(recipe)).sum()
    }

    /// The recipe, and that of the other head if there is one.
    pub(crate) fn of_heads(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.ensemble.as_ref().map(|other| &*other.with))
    }

    /// Whether any of its heads starts from the stage-1 head.
    pub fn starts_from_stage_1(&self) -> bool {
        self.of_heads().any(|recipe| recipe.start == Start::Stage1)
    }

    /// What can be averaged.
    pub(super) fn check_average(&self) -> Result<()> {
        range("runs", (1..=MOST_RUNS).contains(&self.runs), "1 to 1000", self.runs)?;
        let differ = self.solver == Solver::Sgd && self.sgd.epochs > 0;
        let expected = "1 for what does not depend on the seed";
        range("runs", self.runs == 1 || differ, expected, self.runs)?;
        if let Some(Ensemble { with, share }) = &self.ensemble {
            range("ensemble.share", (0.0..=1.0).contains(share), "a number from 0 to 1", share)?;
            let expected = "a recipe of one head, without an average of its own";
            range("ensemble.with", !with.is_average(), expected, "another average")?;
            with.check()?;
        }
        for recipe in self.of_heads().filter(|_| self.is_average()) {
            let rules = recipe.head.rules();
            let centred = rules.normalises_features && recipe.features != Conditioning::AsIs;
            let expected = "one without a gate or a centre, in an average";
            range("head", !rules.has_gate && !centred, expected, rules.name)?;
        }
        Ok(())
    }
}

/// A recipe in which omitted keys have their usual values.
fn on_plain<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Box<Recipe>, D::Error> {
    let changes = Map::<String, Value>::deserialize(from)?;
    // Each level is read key by key, and again as a whole: none may lie below.
    if changes.contains_key("ensemble") {
        return Err(D::Error::custom("a recipe of one head is expected, without an `ensemble`"));
    }
    let recipe = Recipe::PLAIN.overlaid(&changes, "recipe");
    recipe.map(Box::new).map_err(|error| D::Error::custom(format!("in ensemble.with: {error}")))
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
        assert!(message("los", "runs", json!(0)).contains("1 to 1000"));
        assert!(message("los", "runs", json!(1_000_000_000_000_u64)).contains("1 to 1000"));
        assert!(message("ridge", "runs", json!(2)).contains("depend on the seed"));
        assert!(message("tau-norm", "runs", json!(2)).contains("depend on the seed"));
        assert!(message("disalign", "runs", json!(2)).contains("without a gate"));
        let with = |name: &str| json!({"with": find(name).unwrap().recipe});
        assert!(message("los", "ensemble", with("disalign")).contains("without a gate"));
        let nested = find("los+with-ridge").unwrap().recipe;
        assert!(message("los", "ensemble", json!({"with": nested})).contains("one head"));
        assert!(message("los+with-ridge", "ensemble.share", json!(1.5)).contains("from 0 to 1"));
        let found = message("los+with-ridge", "ensemble.with.lr", json!(-1));
        assert!(found.contains("ensemble.with") && found.contains("lr"), "{found}");
        let partial = json!({"with": {"solver": "ridge", "weight_decay": 0.5, "start": "zero"}});
        let recipe = find("los").unwrap().recipe.with("ensemble", &partial).unwrap();
        assert_eq!(recipe.ensemble.unwrap().with.sgd.epochs, 20, "omitted keys are the usual ones");
        let unknown = json!({"with": {"weigth_decay": 0.5}});
        assert!(message("los", "ensemble", unknown).contains("weight_decay"));
        let toml = toml::to_string(&find("los+averaged+with-ridge").unwrap().recipe).unwrap();
        let recipe = Recipe::from_toml(&toml, "").unwrap();
        assert_eq!((recipe.runs, recipe.ensemble.unwrap().share), (4, 0.5), "{toml}");
    }
}
