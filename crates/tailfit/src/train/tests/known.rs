//! What solvers know from earlier trials changes nothing but the time they take.

use serde_json::{Value, json};

use super::super::{Known, Problem, Trial, train_on};
use super::setup;
use crate::recipe::Recipe;
use crate::tests::support::golden;
use crate::tests::{problem, unscored};

#[test]
fn trials_after_others_have_the_bits_of_trials_from_nothing() {
    let setup = setup(&golden("sgd.json"));
    let features: Vec<f32> = setup.features.iter().map(|&v| v as f32).collect();
    let fresh = problem(&features, &setup.labels, &setup.counts, Some(&setup.stage_1));
    let trial = |changes: &[(&str, Value)], decay: f64| {
        let base = [("solver", json!("lbfgs")), ("start", json!("zero")), ("gap", json!(1e-3))];
        let changes = base.iter().chain(changes);
        let recipe = changes.fold(Recipe::PLAIN, |r, (path, value)| r.with(path, value).unwrap());
        let recipe = recipe.with("weight_decay", &json!(decay)).unwrap();
        Trial { recipe, seed: 0, stop_after: None }
    };
    let kinds: [&[(&str, Value)]; 6] = [
        &[("decay_bias", json!(false))],
        &[("decay_bias", json!(true))],
        &[("decay_bias", json!(false)), ("class_weights", json!({"power": {"rho": 1.0}}))],
        &[("decay_bias", json!(false)), ("features", json!("standardised"))],
        // Only the scales, and only the margins, tell these from the first.
        &[("decay_bias", json!(false)), ("loss", json!({"name": "vector-scaling"}))],
        &[("decay_bias", json!(false)), ("loss", json!({"name": "ldam", "scale": 4.0}))],
    ];
    // Down, further down, both above that and below, and where the last ended and above.
    let rounds: [&[f64]; 4] = [&[0.3, 1e-2], &[1e-3, 3e-4], &[3e-3, 1e-5], &[1e-5, 3.0, 2e-2]];
    for most in [1 << 20, 3 << 15] {
        let known = Known::new(most);
        for decays in rounds {
            let of = |kind: &&[_]| decays.iter().map(|&d| trial(kind, d)).collect::<Vec<_>>();
            let trials: Vec<Trial> = kinds.iter().flat_map(of).collect();
            let knowing = Problem { known: &known, ..fresh.clone() };
            let after = train_on(&knowing, &trials, &unscored()).unwrap();
            let alone = train_on(&fresh, &trials, &unscored()).unwrap();
            for ((trial, after), alone) in trials.iter().zip(after).zip(alone) {
                assert_eq!(after.head, alone.head, "{:?}", trial.recipe);
                assert_eq!(after.solution, alone.solution, "{:?}", trial.recipe);
            }
        }
        let kept = known.kept();
        if most == 1 << 20 {
            // A space for each way to see the features, and the smallest rung of each kind.
            assert_eq!(kept, (2, vec![1e-5; 6]));
            let further = trial(kinds[0], 1e-6);
            known.add_passes(1000);
            let knowing = Problem { known: &known, ..fresh.clone() };
            let after = train_on(&knowing, &[further], &unscored()).unwrap().remove(0);
            assert!(after.solution.unwrap().passes > 1000, "it starts from the last rung");
        } else {
            assert!((1..6).contains(&kept.1.len()), "{kept:?}");
        }
    }
}
