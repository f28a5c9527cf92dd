//! The grid of a method.

use serde_json::Value;

use super::Method;
use crate::error::{Error, Result};
use crate::head::HeadKind;
use crate::recipe::{Conditioning, Recipe};

/// One searched hyper-parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Dotted path in the recipe, such as `loss.delta`.
    pub path: String,
    /// Values to try: numbers, or the names of settings.
    pub values: Vec<Value>,
    /// Whether values beyond its ends may be tried, where the best so far lies at one.
    pub open: bool,
}

/// What [`Method::with_conditioning`] tries.
const CONDITIONINGS: [&str; 2] = ["as-is", "standardised"];

/// Most trials of a grid.
const MOST_TRIALS: usize = 10_000;

impl Method {
    /// The same method with its features as they are and standardised: a further axis, where it
    /// makes a difference to the method and is not searched already.
    #[must_use]
    pub fn with_conditioning(mut self) -> Self {
        let sees = matches!(
            self.recipe.head,
            HeadKind::Linear | HeadKind::ScaledLinear { .. } | HeadKind::Gated
        );
        // Cosine heads are not trained on standardised features.
        let differs = !self.recipe.head.rules().normalises_features
            && (self.recipe.sgd.epochs > 0 && sees || self.recipe.normalise.is_some());
        let is_free = self.recipe.features == Conditioning::AsIs
            && !self.search.iter().any(|axis| axis.path.starts_with("features"));
        if differs && is_free && !self.search.is_empty() {
            let values = CONDITIONINGS.map(Value::from).to_vec();
            self.search.push(Axis { path: "features".to_owned(), values, open: false });
        }
        self
    }

    /// The same method with a smaller grid, for a first look: every other number of an axis of more
    /// than two, standardised features where those are searched, and solvers to a gap of 1 %.
    pub(crate) fn thinned(&self) -> Self {
        let mut thinned = self.clone();
        for axis in &mut thinned.search {
            if axis.path == "features" && axis.values.contains(&CONDITIONINGS[1].into()) {
                axis.values = vec![CONDITIONINGS[1].into()];
            } else if axis.values.len() > 2 {
                axis.values = axis.values.iter().skip(1).step_by(2).cloned().collect();
            }
        }
        thinned.recipe.gap = thinned.recipe.gap.max(1e-2);
        thinned
    }

    /// Every combination of the searched values; only the recipe itself if nothing is searched.
    ///
    /// # Errors
    ///
    /// If a path is not in the recipe or a value is out of range.
    pub fn grid(&self) -> Result<Vec<Recipe>> {
        let sizes = self.search.iter().map(|axis| axis.values.len());
        let trials = sizes.fold(1_usize, usize::saturating_mul);
        if trials > MOST_TRIALS {
            let expected = format!("at most {MOST_TRIALS} trials");
            let place = format!("{}: search", self.name);
            return Err(Error::usage(place, expected, trials, "shorten the lists"));
        }
        let mut recipes = vec![self.recipe.clone()];
        for axis in &self.search {
            let each = |recipe: &Recipe| {
                axis.values.iter().map(|value| recipe.with(&axis.path, value)).collect::<Vec<_>>()
            };
            recipes = recipes.iter().flat_map(each).collect::<Result<_>>()?;
        }
        Ok(recipes)
    }
}
