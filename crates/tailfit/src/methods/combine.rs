//! Combinations: a method with something added, such as `los+class-balanced`.

use serde_json::{Value, json};

use super::additions::{ADDITIONS, CONVERGED, WITH, additions};
use super::optima::PATH;
use super::{Axis, Method, by_name, find, number};
use crate::error::{Error, Result, nearest};
use crate::recipe::Recipe;

/// Values of a method's first axis that are tried with each strength.
const WITH_EACH: usize = 5;

/// Trials of a search of several numbers.
const BUDGET: usize = 20;

/// Shares of the other head in an average of two.
const SHARES_OF_OTHER: &[f64] = &[0.1, 0.25, 0.5, 0.75];

/// What a thorough comparison takes besides single methods: the usual losses with everything that can
/// be added to them without class vectors, but for averages and minima.
pub fn combinations() -> Vec<Method> {
    let bases = ["cross-entropy", "balanced-softmax", "label-smoothing", "los", "cosine"];
    let left_out = ["zero-shot", "gla", "averaged", CONVERGED];
    let additions = ADDITIONS.iter().filter(|addition| !left_out.contains(&addition.name));
    let names =
        additions.flat_map(|addition| bases.map(|base| format!("{base}+{}", addition.name)));
    names.filter_map(|name| find(&name).ok()).collect()
}

impl Method {
    /// The method with additions, by name. A search of several numbers stays as large as it was: an
    /// addition's strength takes the place of every axis but the first.
    ///
    /// # Errors
    ///
    /// If there is no such addition, the method has one already, or the two do not go together.
    pub(super) fn with_additions<'a>(
        mut self,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Result<Self> {
        while let Some(name) = names.next() {
            let name = name.trim();
            if let Some(other) = name.strip_prefix(WITH) {
                if let Some(after) = names.next() {
                    let expected = "nothing after the method that it is averaged with";
                    return Err(Error::usage("method", expected, format!("`+{after}`"), ""));
                }
                return self.averaged_with(other);
            }
            let addition = ADDITIONS.iter().find(|addition| addition.name == name);
            let addition = addition.ok_or_else(|| {
                let known = additions().map(|(name, _)| name);
                let hint = nearest(name, known.clone());
                let all = known.collect::<Vec<_>>().join(", ");
                let expected = format!("after a `+`, one of {all}");
                Error::usage("method", expected, format!("`{name}`"), hint)
            })?;
            let whole = format!("{}+{name}", self.name);
            if addition.trains && self.recipe.sgd.epochs == 0 {
                let expected = "a method that trains";
                return Err(Error::usage(format!("method `{whole}`"), expected, &self.name, ""));
            }
            for (key, value) in addition.changes {
                let value: Value = serde_json::from_str(value).unwrap_or_default();
                let changed = self.recipe.with(key, &value)?;
                let tree = |recipe: &Recipe| json!(recipe).get(*key).cloned();
                if tree(&self.recipe) != tree(&Recipe::PLAIN) {
                    let expected = format!("a method without {key} of its own");
                    return Err(Error::usage(
                        format!("method `{whole}`"),
                        expected,
                        &self.name,
                        "",
                    ));
                }
                self.recipe = changed;
            }
            if let Some((path, values)) = addition.search {
                self.search_strength(path, values);
            }
            if name == CONVERGED {
                if !self.recipe.cost.loss.is_solvable() {
                    let place = format!("method `{whole}`");
                    let expected = "cross-entropy with scales, offsets, margins or smoothed labels";
                    return Err(Error::usage(place, expected, self.recipe.cost.loss.name(), ""));
                }
                self.search_decays()?;
            }
            self.source = format!("{}; {}", self.source, addition.help);
            self.name = whole;
        }
        self.grid()?;
        Ok(self)
    }

    /// The mean with the head of another method, by name.
    fn averaged_with(mut self, other: &str) -> Result<Self> {
        let with = by_name(other)?;
        let ensemble = json!({"with": with.recipe, "share": 0.5});
        self.recipe = self.recipe.with("ensemble", &ensemble)?;
        self.search_strength("ensemble.share", SHARES_OF_OTHER);
        self.source = format!("{}; averaged with {other}: {}", self.source, with.source);
        self.name = format!("{}+{WITH}{other}", self.name);
        self.grid()?;
        Ok(self)
    }

    /// Searches weight decay in place of rates, with the loss's own numbers if those are searched.
    fn search_decays(&mut self) -> Result<()> {
        let (path, values) = PATH;
        self.recipe = self.recipe.with(path, &number(1e-3))?;
        self.search.retain(|axis| !["lr", path].contains(&&axis.path[..]));
        let others: usize = self.search.iter().map(|axis| axis.values.len()).product();
        let every = (values.len() * others).div_ceil(BUDGET);
        let values = values.iter().step_by(every).copied().map(number).collect();
        self.search.insert(0, Axis { path: path.to_owned(), values, open: true });
        Ok(())
    }

    /// Searches the strength of an addition in place of every axis but the first.
    fn search_strength(&mut self, path: &str, values: &[f64]) {
        self.search.truncate(1);
        for axis in &mut self.search {
            let every = axis.values.len().div_ceil(WITH_EACH).max(1);
            axis.values = axis.values.iter().step_by(every).cloned().collect();
        }
        let values = values.iter().copied().map(number).collect();
        self.search.push(Axis { path: path.to_owned(), values, open: true });
    }
}

#[cfg(test)]
mod tests {
    use crate::losses::ClassWeights;
    use crate::methods::find;

    #[test]
    fn additions_change_the_recipe_and_keep_the_budget() {
        for name in [
            "los+class-balanced",
            "balanced-softmax+tau-norm",
            "tau-norm+logit-adjustment",
            "lr-balanced+tau-norm",
            "focal+square-root-sampling",
        ] {
            let method = find(name).unwrap();
            assert_eq!((&method.name[..], method.grid().unwrap().len()), (name, 20));
        }
        for (name, trials) in
            [("los+averaged", 5), ("los+with-lr-balanced", 20), ("lda+with-stage-1", 20)]
        {
            assert_eq!(find(name).unwrap().grid().unwrap().len(), trials, "{name}");
        }
        let solved = find("logit-adjusted+converged").unwrap();
        assert_eq!(solved.grid().unwrap().len(), 20, "five decays, four values of tau");
        let solved = find("los-auto+converged").unwrap();
        assert_eq!(solved.grid().unwrap().len(), 20, "four decays, five gaps");
        let solved = find("cross-entropy+class-balanced+converged").unwrap();
        assert_eq!(
            solved.with_conditioning().grid().unwrap().len(),
            20,
            "ten decays, two features"
        );
        for name in ["vector-scaling", "class-dependent-temperatures", "ldam"] {
            let solved = find(&format!("{name}+converged")).unwrap();
            assert_eq!(solved.grid().unwrap().len(), 20, "five decays, four values of its own");
        }
        let both = find("los+class-balanced+logit-adjustment").unwrap();
        assert_eq!(both.recipe.cost.class_weights, ClassWeights::Power { rho: 1.0 });
        assert!(both.recipe.adjustment.is_some());
    }

    #[test]
    fn a_thorough_comparison_takes_combinations_of_the_same_budget() {
        let all = super::combinations();
        assert_eq!(all.len(), 30, "five losses with six additions each");
        assert!(all.iter().all(|method| method.grid().unwrap().len() == 20));
    }

    /// Whatever is compared with its features as they are and standardised can be.
    #[test]
    fn every_method_has_a_grid_with_its_features_standardised() {
        for method in crate::methods::all().into_iter().chain(super::combinations()) {
            let (name, thinned) =
                (method.name.clone(), method.clone().with_conditioning().thinned());
            assert!(method.with_conditioning().grid().is_ok(), "{name}");
            assert!(thinned.grid().is_ok(), "{name}, thinned");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let message = |name: &str| find(name).unwrap_err().to_string();
        assert!(message("los+class-balanecd").contains("`class-balanced`"));
        assert!(message("loss+class-balanced").contains("`los`"));
        assert!(message("stage-1+class-balanced").contains("trains"));
        assert!(message("lr-balanced+class-balanced").contains("class_weights"));
        assert!(message("lr-balanced+square-root-sampling").contains("solver"));
        assert!(message("lr-balanced+averaged").contains("seed"));
        assert!(message("lr-balanced+converged").contains("solver"));
        assert!(message("crt+converged").contains("sampler"));
        assert!(message("lade+converged").contains("batch"));
        assert!(message("focal+converged").contains("smoothed labels"));
        assert!(message("cosine+converged").contains("solver"));
        assert!(message("los+with-ridge+tau-norm").contains("nothing after"));
        assert!(message("los+with-rigde").contains("`ridge`"));
        assert!(message("los+class-balanced+class-balanced").contains("class_weights"));
    }
}
