//! What training promises, whatever is trained.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::super::item::train_in_order;
use super::super::seen::{Seen, SeenAs};
use super::super::stack::Stack;
use super::super::{Options, Outcome, Problem, ScoredSet, Trial, View, train_on};
use super::{problem_of, setup};
use crate::class_counts::ClassCounts;
use crate::metrics::{PerSet, TestPart};
use crate::recipe::{Recipe, Sgd};
use crate::rng::{Purpose, Rng};
use crate::tests::support::golden;
use crate::tests::{problem, unscored};

/// A head is bit-identical whatever other heads are trained with it.
#[test]
fn a_head_has_the_same_bits_in_any_company() {
    let golden = golden("sgd.json");
    let setup = setup(&golden);
    let features: Vec<f32> = setup.features.iter().map(|&v| v as f32).collect();
    let problem = problem(&features, &setup.labels, &setup.counts, Some(&setup.stage_1));
    let kinds = [json!("linear"), json!("scaled"), json!({"cosine": {"scale": 16}})];
    for kind in kinds {
        let trials: Vec<Trial> = (0..23_u32)
            .map(|i| {
                let recipe = Recipe {
                    sgd: Sgd { epochs: 2, lr: 0.01 * f64::from(i + 1), ..Recipe::PLAIN.sgd },
                    ..Recipe::PLAIN
                };
                let recipe = recipe.with("head", &kind).unwrap();
                Trial { recipe, seed: 5, stop_after: None }
            })
            .collect();
        let together = train_on(&problem, &trials, &unscored()).unwrap();
        for i in [0, 9, 22] {
            let alone = train_on(&problem, &trials[i..=i], &unscored()).unwrap();
            assert_eq!(alone[0].head, together[i].head);
            assert_eq!(alone[0].train_loss, together[i].train_loss);
        }
    }
}

/// Kinds, solvers, seeds and batch sizes are trained apart, and come back in the order asked for.
#[test]
fn outcomes_come_in_the_order_of_the_trials() {
    let setup = setup(&golden("sgd.json"));
    let problem = problem_of(&setup);
    let with = |changes: &[(&str, Value)], seed| {
        let start = Recipe { sgd: Sgd { epochs: 2, ..Recipe::PLAIN.sgd }, ..Recipe::PLAIN };
        let recipe = changes.iter().fold(start, |r, (path, value)| r.with(path, value).unwrap());
        Trial { recipe, seed, stop_after: None }
    };
    let solver = |solver| [("solver", json!(solver)), ("weight_decay", json!(0.01))];
    let trials = [
        with(&[("head", json!("scaled"))], 0),
        with(&solver("ridge"), 0),
        with(&[("head", json!({"cosine": {"scale": 16}}))], 1),
        with(&solver("lbfgs"), 0),
        with(&[], 3),
        with(&[("batch_size", json!(7))], 0),
        with(&solver("ridge"), 1),
        with(&[], 1),
    ];
    let together = train_on(&problem, &trials, &unscored()).unwrap();
    assert_eq!(together.len(), trials.len());
    for (trial, outcome) in trials.iter().zip(&together) {
        let alone = train_on(&problem, std::slice::from_ref(trial), &unscored()).unwrap().remove(0);
        assert_eq!(outcome.head, alone.head, "{:?}", trial.recipe);
    }
}

/// Large enough that a search spreads all of its work.
#[test]
fn a_solution_has_the_same_bits_on_any_number_of_threads() {
    let (n, d, k) = (700, 420, 80);
    let mut rng = Rng::new(0, Purpose::Start, 0);
    let features: Vec<f32> = (0..n * d).map(|_| rng.uniform() as f32 - 0.4).collect();
    let labels: Vec<u32> = (0..n as u32).map(|i| if i < 160 { i % 80 } else { i % 7 }).collect();
    let counts = ClassCounts::from_labels(&labels, k).unwrap();
    let problem = problem(&features, &labels, &counts, None);
    let changes = [("solver", json!("lbfgs")), ("start", json!("zero")), ("gap", json!(1e-2))];
    let recipe =
        changes.iter().fold(Recipe::PLAIN, |r, (path, value)| r.with(path, value).unwrap());
    let recipe = recipe.with("weight_decay", &json!(1e-2)).unwrap();
    let trials = [Trial { recipe, seed: 0, stop_after: None }];
    let passes = AtomicUsize::new(0);
    let on_pass = |_| _ = passes.fetch_add(1, Ordering::Relaxed);
    let options = Options { on_pass: &on_pass, ..unscored() };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train_on(&problem, &trials, &options).unwrap().remove(0))
    };
    let one = on(1);
    assert_eq!(one.solution.map(|found| found.passes), Some(passes.load(Ordering::Relaxed)));
    // Three groups of batches: at once, an odd one at the end, and fewer than threads.
    for threads in [2, 3, 8] {
        let many = on(threads);
        assert_eq!((&one.head, one.solution), (&many.head, many.solution), "{threads} threads");
    }
}

/// Epoch e trains on view e mod V, as if the views were stacked vertically and used in turn.
#[test]
fn views_are_used_in_turn() {
    let setup = setup(&golden("sgd.json"));
    let n = setup.labels.len();
    let views: [Vec<f64>; 2] = [1.0, 0.5].map(|f| setup.features.iter().map(|v| f * v).collect());
    let below = [views[0].clone(), views[1].clone()].concat();
    let labels = setup.labels.repeat(2);
    let one = problem(&below, &labels, &setup.counts, Some(&setup.stage_1));
    let mut two = problem_of(&setup);
    two.views = views.iter().map(|view| View::Memory(view.into())).collect();
    let sgd = Sgd { epochs: 5, ..Recipe::PLAIN.sgd };
    let recipe = Recipe { sgd, ..Recipe::PLAIN };
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let train = |problem: &Problem<'_, f64>, first: &dyn Fn(usize) -> usize| {
        let seen = Seen::new(problem, SeenAs::of(&trial, problem));
        let order = |epoch| (0..n).map(|i| (first(epoch) + (i * 7 + epoch) % n) as u32).collect();
        train_in_order(&seen, &[&trial], &unscored(), false, order).unwrap().remove(0)
    };
    let (wanted, found) = (train(&one, &|epoch| epoch % 2 * n), train(&two, &|_| 0));
    assert_eq!(found.head, wanted.head);
    // The loss is a mean over samples, of which the other problem has twice as many.
    let halved: Vec<f64> = found.train_loss.iter().map(|loss| loss / 2.0).collect();
    assert_eq!(halved, wanted.train_loss);
}

/// A diverging trial shows it in its loss, gets nothing right, and does not affect other trials.
#[test]
fn divergence_stays_with_the_trial() {
    let setup = setup(&golden("sgd.json"));
    let features: Vec<f32> = setup.features.iter().map(|&v| v as f32).collect();
    let mut problem = problem(&features, &setup.labels, &setup.counts, Some(&setup.stage_1));
    let set = || ScoredSet {
        features: (&features).into(),
        mirror: None,
        labels: &setup.labels,
        groups: None,
    };
    problem.scored = Some(PerSet { test: set(), validation: None });
    let trial = |lr: f64, weight_decay: f64| {
        let sgd = Sgd { epochs: 4, lr, weight_decay, ..Recipe::PLAIN.sgd };
        Trial { recipe: Recipe { sgd, ..Recipe::PLAIN }, seed: 1, stop_after: None }
    };
    let outcomes = train_on(&problem, &[trial(0.1, 0.0), trial(1e30, 0.5)], &unscored()).unwrap();
    let alone = train_on(&problem, &[trial(0.1, 0.0)], &unscored()).unwrap();
    assert_eq!(outcomes[0].head, alone[0].head);
    assert_eq!(outcomes[0].hits, alone[0].hits);
    let hits = |outcome: &Outcome| -> u32 {
        outcome.hits.last().unwrap().test.in_part(TestPart::All).iter().sum()
    };
    assert!(!outcomes[1].train_loss.last().unwrap().is_finite());
    assert_eq!(hits(&outcomes[1]), 0);
    assert!(hits(&outcomes[0]) > setup.labels.len() as u32 / 2);
}

#[test]
fn a_start_that_is_not_trained_comes_back_unchanged() {
    let setup = setup(&golden("sgd.json"));
    let problem = problem_of(&setup);
    let trial = Trial {
        recipe: Recipe { sgd: Sgd { epochs: 0, ..Recipe::PLAIN.sgd }, ..Recipe::PLAIN },
        seed: 0,
        stop_after: None,
    };
    let (trials, seen) = ([&trial], Seen::new(&problem, SeenAs::of(&trial, &problem)));
    let stack = Stack::new(&seen, &trials, (None, false), None);
    assert_eq!(stack.finished(0), setup.stage_1);
}
