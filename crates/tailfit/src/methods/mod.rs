//! Named recipes.

mod additions;
mod catalogue;
mod combine;
mod edges;
mod further;
mod groups;
mod optima;
mod search;

pub use self::additions::additions;
pub use self::combine::combinations;
pub use self::groups::GROUPS;
pub use self::search::Axis;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result, nearest, nearest_in_message};
use crate::recipe::{Recipe, Sampler};

/// A named recipe with its source and its searched hyper-parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// Name in configurations, commands and records.
    pub name: String,
    /// The paper, and how the recipe departs from it.
    pub source: String,
    /// The default recipe, which is what selection rule `last` trains.
    pub recipe: Recipe,
    /// The axes of the grid, which has every combination of their values.
    pub search: Vec<Axis>,
}

/// A searched path and its values, as the catalogue writes them.
type Values = (&'static str, &'static [f64]);

/// Every method, in table order. Each method that searches at all has a grid of 20 points, so
/// that all have the same budget, before comparisons add features that are standardised.
pub fn all() -> Vec<Method> {
    catalogue::all()
}

/// Methods that a first look takes: cheap ones that are among the best on most data.
const QUICK: [&str; 9] = [
    "stage-1",
    "nearest-class-mean",
    "lda",
    "lr-balanced",
    "balanced-softmax-converged",
    "balanced-softmax",
    "tau-norm",
    "logit-adjustment",
    "los",
];

/// Whether a quick comparison takes a method if none are named.
pub fn is_quick(name: &str) -> bool {
    QUICK.contains(&name)
}

/// Whether a comparison takes a method only if it is named, since its cost grows out of proportion.
pub fn is_by_name_only(method: &Method) -> bool {
    method.recipe.sampler == Sampler::Learned
}

/// Whether a comparison takes a method only if it is named, or everything is asked for: the more
/// methods are compared on a small set, the more likely the best of them is so by chance.
pub fn is_further(name: &str) -> bool {
    further::all().iter().any(|method| method.name == name)
}

/// The method with this name, or a combination: names of what is added follow after `+`, such as
/// `los+class-balanced` (see [`additions`]).
///
/// # Errors
///
/// If there is none, in which case the hint names the nearest one, or the parts do not go together.
pub fn find(name: &str) -> Result<Method> {
    let mut parts = name.split('+');
    let method = by_name(parts.next().unwrap_or_default().trim())?;
    method.with_additions(parts)
}

/// Methods for data with a vector for each class: the head that these make, and one combined with it.
///
/// # Errors
///
/// Never, but for a fault of this program.
pub fn with_class_vectors() -> Result<[Method; 2]> {
    Ok([find("zero-shot")?, find("balanced-softmax-converged+zero-shot")?])
}

fn by_name(name: &str) -> Result<Method> {
    let mut methods = all();
    methods.push(optima::zero_shot());
    methods.iter().find(|method| method.name == name).cloned().ok_or_else(|| {
        let names = methods.iter().map(|method| method.name.as_str());
        let hint = nearest(name, names);
        let remedy =
            if hint.is_empty() { "the list of methods names them all".to_owned() } else { hint };
        Error::usage("method", "the name of a method", format!("`{name}`"), remedy)
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MethodFile {
    name: Option<String>,
    #[serde(default)]
    recipe: Map<String, Value>,
    #[serde(default)]
    search: Map<String, Value>,
}

impl Method {
    /// A method from its parts; `search` lists dotted paths and the values to try, and none beyond.
    pub fn new(
        name: &str,
        source: &str,
        recipe: Recipe,
        search: impl IntoIterator<Item = (String, Vec<Value>)>,
    ) -> Self {
        let search = search.into_iter().map(|(path, values)| Axis { path, values, open: false });
        let search = search.collect();
        Self { name: name.to_owned(), source: source.to_owned(), recipe, search }
    }

    /// Reads a method from TOML: `name`, a `[recipe]` and optionally a `[search]` with a list of
    /// values for each dotted path.
    ///
    /// ```
    /// let text = r#"
    ///     name = "smoothed-balanced"
    ///     [recipe]
    ///     loss = { name = "label-over-smoothing", delta = 0.9 }
    ///     class_weights = { effective-number = { beta = 0.999 } }
    ///     [search]
    ///     lr = [0.001, 0.01, 0.1]
    ///     "loss.delta" = [0.5, 0.9]
    /// "#;
    /// let method = tailfit::methods::Method::from_toml(text, "my.toml")?;
    /// assert_eq!(method.grid()?.len(), 6);
    /// # Ok::<(), tailfit::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// On unknown keys and names, values out of range, and paths that are not in the recipe.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let file: MethodFile = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            let hint = nearest_in_message(&message);
            Error::usage(place, "a method with [recipe] and [search]", message.trim(), hint)
        })?;
        let recipe = Recipe::PLAIN.overlaid(&file.recipe, place)?;
        let mut search = Vec::new();
        for (path, values) in file.search {
            let each = |value: &Value| match value.as_f64() {
                Some(value) => Some(number(value)),
                None => value.is_string().then(|| value.clone()),
            };
            let list = values.as_array().and_then(|list| list.iter().map(each).collect());
            let list = list.filter(|list: &Vec<Value>| !list.is_empty()).ok_or_else(|| {
                let place = format!("{place}: search.{path}");
                Error::usage(place, "a list of numbers or of names", values.to_string(), "")
            })?;
            search.push((path, list));
        }
        let name = file.name.unwrap_or_else(|| "custom".to_owned());
        check_name(&name, place)?;
        let method = Self::new(&name, place, recipe, search);
        method.grid()?;
        Ok(method)
    }
}

/// A value of an axis: whole numbers are integers, as `epochs` and `batch_size` want them.
fn number(value: f64) -> Value {
    let whole = value.fract() == 0.0 && value.abs() < 2_f64.powi(53);
    if whole { json!(value as i64) } else { json!(value) }
}

/// A method's files go by its name.
fn check_name(name: &str, place: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || "-_+.,= ()".contains(c);
    let fits = (1..=100).contains(&name.len()) && !name.starts_with(['.', ' ']);
    if fits && name.chars().all(plain) {
        return Ok(());
    }
    let expected = "a name of up to 100 letters, digits and -_+.,=() that can be a file's";
    let found: String = name.chars().take(40).flat_map(char::escape_default).collect();
    Err(Error::usage(format!("{place}: name"), expected, format!("`{found}`"), ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_is_valid_and_has_the_same_budget() {
        let methods = all();
        for (index, method) in methods.iter().enumerate() {
            let grid = method.grid().unwrap();
            let budget = if method.search.is_empty() { 1 } else { 20 };
            assert_eq!(grid.len(), budget, "{}", method.name);
            assert!(methods[..index].iter().all(|other| other.name != method.name));
            assert!(grid.contains(&method.recipe), "{} searches around its default", method.name);
            let toml = toml::to_string(&method.recipe).unwrap();
            assert_eq!(Recipe::from_toml(&toml, "").unwrap(), method.recipe, "{toml}");
        }
    }

    #[test]
    fn an_unknown_method_gets_the_nearest_name() {
        assert!(find("tau-nrom").unwrap_err().to_string().contains("`tau-norm`"));
    }

    #[test]
    fn edges_are_the_ends_of_an_axis_but_not_zero() {
        let text = "[recipe]\nloss = { name = 'focal' }\n[search]\n\"loss.gamma\" = [2, 1, 3]\nlr = [0.1]\nweight_decay = [0.0, 0.5]";
        let method = Method::from_toml(text, "").unwrap();
        let edges = |gamma: f64, decay: f64| {
            let recipe = method.recipe.with("lr", &json!(0.1)).unwrap();
            let recipe = recipe.with("loss.gamma", &json!(gamma)).unwrap();
            method.edges(&recipe.with("weight_decay", &json!(decay)).unwrap(), 0).join("; ")
        };
        assert_eq!(edges(2.0, 0.0), "");
        assert_eq!(edges(1.0, 0.0), "loss.gamma 1, the smallest");
        assert_eq!(edges(3.0, 0.5), "loss.gamma 3, the largest; weight_decay 0.5, the largest");
    }

    #[test]
    fn a_method_from_toml_with_a_grid() {
        let text = "name = 'mine'\n[recipe]\nloss = { name = 'focal' }\n[search]\n\"loss.gamma\" = [1, 2.5]\nlr = [0.1]";
        let method = Method::from_toml(text, "").unwrap();
        assert_eq!(method.grid().unwrap().len(), 2);
        let epochs = Method::from_toml("[search]\nepochs = [5, 10.0]", "").unwrap().grid().unwrap();
        assert_eq!([epochs[0].sgd.epochs, epochs[1].sgd.epochs], [5, 10]);
        let half = Method::from_toml("[search]\nepochs = [2.5]", "");
        assert!(half.is_err(), "half an epoch");
        let many = "[search]\nlr = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nmomentum = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]\nweight_decay = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\nepochs = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\nbatch_size = [1, 2]";
        assert!(Method::from_toml(many, "").unwrap_err().to_string().contains("10000 trials"));
        let wrong = text.replace("loss.gamma", "loss.delta");
        assert!(Method::from_toml(&wrong, "").is_err());
    }
}
