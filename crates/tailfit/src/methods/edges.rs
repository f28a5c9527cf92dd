//! The edges of a grid, and what lies beyond.

use serde_json::Value;

use super::{Axis, Method, number};
use crate::recipe::Recipe;

/// Where a search may go on from an end of an axis, value by value, the end first.
struct End {
    values: Vec<f64>,
    /// Whether there are values beyond these.
    goes_on: bool,
    which: &'static str,
}

impl Axis {
    /// The ends of an axis of numbers, with as many `steps` beyond them: each value is as many times
    /// its neighbour as the last two of the grid are; where that is not `valid`, its distance to 1 is as
    /// many times the neighbour's, as for a share. Zero is no end, because hyper-parameters end there,
    /// and one value has none.
    fn ends(&self, steps: usize, valid: impl Fn(f64) -> bool) -> Vec<End> {
        let values: Option<Vec<f64>> = self.values.iter().map(Value::as_f64).collect();
        let mut values = values.unwrap_or_default();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let end = |end: f64, neighbour: f64, which| {
            let ratio = |from: f64, to: f64| if from > 0.0 { to / from } else { f64::NAN };
            let times = |step: i32| rounded(end * ratio(neighbour, end).powi(step));
            let to_one = |step: i32| {
                1.0 - rounded((1.0 - end) * ratio(1.0 - neighbour, 1.0 - end).powi(step))
            };
            let value = |step: i32| if valid(times(1)) { times(step) } else { to_one(step) };
            let steps = if self.open { steps as i32 } else { 0 };
            let mut values = vec![end];
            let beyond = (1..=steps + 1).map(value).take_while(|&value| valid(value));
            values.extend(beyond.filter(|&value| value != end));
            values.dedup();
            let goes_on = values.len() > steps as usize + 1;
            values.truncate(steps as usize + 1);
            (end != 0.0).then_some(End { values, goes_on, which })
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
            let valid = |v: f64| recipe.with(&axis.path, &number(v)).is_ok();
            for End { values, .. } in axis.ends(steps, valid) {
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
            let with = |value: f64| recipe.with(&axis.path, &number(value));
            let at = |value: f64| with(value).is_ok_and(|same| same == *recipe);
            let ends = axis.ends(steps, |value| with(value).is_ok());
            let here = |end: &&End| end.goes_on && end.values.last().is_some_and(|&last| at(last));
            let end = ends.iter().find(here)?;
            Some(format!("{} {}, the {}", axis.path, end.values.last()?, end.which))
        };
        self.search.iter().filter_map(of_axis).collect()
    }
}

#[cfg(test)]
mod tests;
