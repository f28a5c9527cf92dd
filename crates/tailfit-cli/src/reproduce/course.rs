//! Whole courses of training, epoch by epoch, kept as lines of JSON.

use serde::Deserialize;
use serde_json::{Value, json};
use tailfit::compare::{Curve, DataRecord};
use tailfit::recipe::Recipe;

/// Class means of a trial after each epoch, beginning with the start.
#[derive(Debug, PartialEq, Deserialize)]
pub(super) struct Course {
    pub(super) recipe: Recipe,
    pub(super) seed: u64,
    /// In percent.
    pub(super) macro_percent: Vec<f64>,
}

/// What lines say about how they were made, by which those of an earlier run are known to be the same.
pub(super) fn origin(data: &DataRecord, precision: tailfit::Precision, method: &str) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"), "precision": precision,
        "instruction_set": tailfit::instruction_set(), "data": data, "method": method,
    })
}

/// One line for each curve.
pub(super) fn to_lines(origin: &Value, curves: &[Curve]) -> String {
    let line = |curve: &Curve| {
        let mut line = origin.clone();
        // The start, then each epoch; losses are of the epochs alone.
        let percent: Vec<f64> = curve.accuracy.iter().map(|a| a.macro_percent).collect();
        line["recipe"] = json!(curve.recipe);
        line["seed"] = json!(curve.seed);
        line["train_loss"] = json!(curve.train_loss);
        line["macro_percent"] = json!(percent);
        line.to_string() + "\n"
    };
    curves.iter().map(line).collect()
}

/// The courses in `text`, if it has one for each of these recipes and seeds, and all are of this origin.
pub(super) fn from_lines(
    text: &str,
    origin: &Value,
    recipes: &[Recipe],
    seeds: u64,
) -> Option<Vec<Course>> {
    let read = |line: &str| -> Option<Course> {
        let value: Value = serde_json::from_str(line).ok()?;
        let same = origin.as_object()?.iter().all(|(key, wanted)| value.get(key) == Some(wanted));
        same.then(|| serde_json::from_value(value).ok())?
    };
    let courses: Vec<Course> = text.lines().map(read).collect::<Option<_>>()?;
    let wanted = (0..seeds).flat_map(|seed| recipes.iter().map(move |recipe| (seed, recipe)));
    let found = courses.iter().map(|course| (course.seed, &course.recipe));
    (wanted.eq(found)).then_some(courses)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines are taken as they are only where everything about them is the same.
    #[test]
    fn an_earlier_runs_lines_are_known() {
        let recipe = Recipe::PLAIN;
        let origin = json!({"version": "1", "method": "los"});
        let curve = |seed| Curve {
            trial: 0,
            seed,
            recipe: recipe.clone(),
            train_loss: vec![],
            accuracy: vec![],
        };
        let text = to_lines(&origin, &[curve(0), curve(1)]);
        let recipes = std::slice::from_ref(&recipe);
        assert_eq!(from_lines(&text, &origin, recipes, 2).unwrap().len(), 2);
        assert_eq!(from_lines(&text, &origin, recipes, 3), None, "a seed is missing");
        assert_eq!(from_lines(&text, &origin, recipes, 1), None, "a seed too many");
        assert_eq!(from_lines(&text, &json!({"version": "2"}), recipes, 2), None);
        let mut other = recipe.clone();
        other.sgd.lr = 0.5;
        assert_eq!(from_lines(&text, &origin, &[other], 2), None);
        assert_eq!(from_lines("{", &origin, recipes, 1), None);
    }
}
