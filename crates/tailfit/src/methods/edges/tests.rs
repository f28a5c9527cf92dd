use super::*;
use serde_json::json;

fn method(open: bool) -> Method {
    let mut method = crate::methods::find("los").unwrap();
    let axis = |path: &str, values: &[f64]| {
        let values = values.iter().map(|&value| json!(value)).collect();
        Axis { path: path.to_owned(), values, open }
    };
    method.search = vec![
        axis("weight_decay", &[5e-3, 0.0, 5e-4]),
        axis("loss.delta", &[0.9, 0.98]),
        axis("lr", &[0.01]),
    ];
    method
}

#[test]
fn steps_lead_beyond_an_edge_and_no_further_than_values_go() {
    let method = method(true);
    let at = |decay: f64, delta: f64| {
        let recipe = method.recipe.with("weight_decay", &json!(decay)).unwrap();
        recipe.with("loss.delta", &json!(delta)).unwrap()
    };
    // Times 0.98 / 0.9, a smooth factor would be above 1: its distance to 1 is a fifth instead.
    let beyond = |decay: f64, delta: f64| method.beyond(&at(decay, delta), 2);
    assert_eq!(beyond(5e-3, 0.98), [at(5e-2, 0.98), at(5e-3, 0.996)]);
    assert_eq!(beyond(5e-2, 0.95), [at(0.5, 0.95)]);
    assert_eq!(beyond(0.5, 0.95), [], "two steps, and no more");
    let classes = crate::methods::find("class-balanced-softmax").unwrap();
    let path = "class_weights.effective-number.beta";
    let with = |beta: f64| classes.recipe.with(path, &json!(beta)).unwrap();
    assert_eq!(classes.beyond(&with(0.9999), 2), [with(0.99999)]);
    // Nothing is left to shrink at 1.
    let lda = crate::methods::find("lda").unwrap();
    let shrunk = lda.recipe.with("features.whitened.shrinkage", &json!(1.0)).unwrap();
    assert_eq!((lda.beyond(&shrunk, 2), lda.edges(&shrunk, 0)), (vec![], vec![]));
    assert_eq!(classes.edges(&with(0.9999), 0), [format!("{path} 0.9999, the largest")]);
    assert_eq!(beyond(5e-4, 0.9), [at(5e-4, 0.827)]);
    assert_eq!(beyond(0.0, 0.95), []);
    assert_eq!(method.edges(&at(5e-3, 0.95), 0), ["weight_decay 0.005, the largest"]);
    assert_eq!(method.edges(&at(5e-3, 0.95), 2), Vec::<String>::new());
    assert_eq!(method.edges(&at(0.5, 0.95), 2), ["weight_decay 0.5, the largest"]);
}

#[test]
fn a_grid_of_ones_own_is_taken_as_it_is() {
    let method = method(false);
    let recipe = method.recipe.with("weight_decay", &json!(5e-3)).unwrap();
    assert_eq!(method.beyond(&recipe, 2), []);
    let edges = method.edges(&recipe.with("loss.delta", &json!(0.95)).unwrap(), 2);
    assert_eq!(edges, ["weight_decay 0.005, the largest"]);
}
