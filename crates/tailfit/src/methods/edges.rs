//! The edges of a grid, and what lies beyond.

use serde_json::Value;

use super::{Axis, Method, number};
use crate::recipe::Recipe;

/// Where a search may go on from an end of an axis, value by value, the end first.
struct End {
    values: Vec<f64>,
    which: &'static str,
}

impl Axis {
    /// The ends of an axis of numbers, with as many `steps` beyond them: each value is as many times
    /// its neighbour as the last two of the grid are. Zero is no end, because hyper-parameters end
    /// there, and one value has none.
    fn ends(&self, steps: usize) -> Vec<End> {
        let values: Option<Vec<f64>> = self.values.iter().map(Value::as_f64).collect();
        let mut values = values.unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let end = |end: f64, neighbour: f64, which| {
            let ratio = end / neighbour;
            let goes_on = self.open && neighbour > 0.0;
            let steps = if goes_on { steps as i32 } else { 0 };
            let beyond = (0..=steps).map(|step| rounded(end * ratio.powi(step)));
            (end != 0.0).then(|| End { values: beyond.collect(), which })
        };
        match values[..] {
            [] | [_] => vec![],
            [smallest, second, ..] => {
                let (last, largest) = (values[values.len() - 2], values[values.len() - 1]);
                let ends = [end(largest, last, "largest"), end(smallest, second, "smallest")];
                ends.into_iter().flatten().collect()
            }
        }
    }
}

/// To three digits, as people write hyper-parameters.
fn rounded(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

impl Method {
    /// Recipes one step beyond the edges of the grid at which this one lies, or beyond what was tried
    /// there already, up to `steps` steps; only with values that a recipe can have.
    pub(crate) fn beyond(&self, recipe: &Recipe, steps: usize) -> Vec<Recipe> {
        let mut recipes = vec![];
        for axis in &self.search {
            for End { values, .. } in axis.ends(steps) {
                for pair in values.windows(2) {
                    let [here, next] =
                        [pair[0], pair[1]].map(|v| recipe.with(&axis.path, &number(v)));
                    if here.is_ok_and(|here| here == *recipe) {
                        recipes.extend(next);
                    }
                }
            }
        }
        recipes
    }

    /// Where this recipe lies on the edge of what was tried, the grid and so many `steps` beyond, in
    /// words, such as `lr 0.1, the largest`: what lies beyond may be better. An axis of names has no
    /// edge.
    pub fn edges(&self, recipe: &Recipe, steps: usize) -> Vec<String> {
        let of_axis = |axis: &Axis| -> Option<String> {
            let at = |value: f64| {
                recipe.with(&axis.path, &number(value)).is_ok_and(|same| same == *recipe)
            };
            let ends = axis.ends(steps);
            let end = ends.iter().find(|end| end.values.last().is_some_and(|&last| at(last)))?;
            Some(format!("{} {}, the {}", axis.path, end.values.last()?, end.which))
        };
        self.search.iter().filter_map(of_axis).collect()
    }
}

#[cfg(test)]
mod tests;
