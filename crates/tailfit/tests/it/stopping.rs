//! Training that is told to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tailfit::compare::{Comparison, Selection};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::methods;
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train, train_stage_1_until};

#[test]
fn every_trainer_ends_soon_once_it_is_told_to_stop() {
    let data = DataSet::embedded(ShotThresholds::default()).unwrap();
    for (name, epochs) in [("los", 1000), ("balanced-meta-softmax", 1000), ("los-converged", 0)] {
        let mut recipe = methods::find(name).unwrap().recipe;
        recipe.sgd.epochs = epochs.max(recipe.sgd.epochs);
        // A solver reports each weight decay that it has solved.
        let trials = [1e-1, 1e-3].map(|weight_decay| {
            let mut recipe = recipe.clone();
            recipe.sgd.weight_decay = weight_decay;
            Trial { recipe, seed: 0, stop_after: None }
        });
        let (stop, epochs) = (AtomicBool::new(false), AtomicUsize::new(0));
        let progress = |done| {
            stop.store(true, Ordering::Relaxed);
            epochs.fetch_add(done, Ordering::Relaxed);
        };
        let options = Options { progress: &progress, stop: &stop, ..Options::default() };
        let stopped = train(&data, &trials, &options);
        assert!(matches!(stopped, Err(Error::Stopped)), "{name}");
        assert!((1..=4).contains(&epochs.load(Ordering::Relaxed)), "{name}");
    }
    let mut without = data.clone();
    without.stage_1 = None;
    let stopped = train_stage_1_until(&mut without, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(Error::Stopped)) && without.stage_1.is_none());
    let stop = AtomicBool::new(true);
    let comparison = Comparison::new_until(&data, Selection::Last, vec![0], &stop).unwrap();
    for name in ["los", "stage-1", "ridge"] {
        let stopped = comparison.run(&methods::find(name).unwrap(), &|_| {});
        assert!(matches!(stopped, Err(Error::Stopped)), "{name}");
    }
    let folds = Comparison::new_until(&data, Selection::CrossValidated, vec![0], &stop);
    assert!(matches!(folds, Err(Error::Stopped)));
}

/// Where single precision has no better gap, a search says so soon, instead of after 500 passes.
#[test]
fn a_gap_out_of_reach_ends_the_search() {
    let data = DataSet::embedded(ShotThresholds::default()).unwrap();
    let mut recipe = methods::find("balanced-softmax-converged").unwrap().recipe;
    (recipe.sgd.weight_decay, recipe.gap) = (1e-4, 1e-6);
    let options = Options { score_every_epoch: false, ..Options::default() };
    let trial = Trial { recipe, seed: 0, stop_after: None };
    let solution = train(&data, &[trial], &options).unwrap().remove(0).solution.unwrap();
    let gap = solution.gap.unwrap();
    assert!((1e-6..1e-4).contains(&gap) && solution.passes < 300, "{solution:?}");
}
