//! Training that is told to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tailfit::compare::{Comparison, Selection};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::methods;
use tailfit::train::{Options, Trial, train, train_stage_1_until};

#[test]
fn every_trainer_ends_soon_once_it_is_told_to_stop() {
    let data = DataSet::embedded(Default::default()).unwrap();
    for (name, epochs) in [("los", 1000), ("balanced-meta-softmax", 1000), ("los-converged", 0)] {
        let mut recipe = methods::find(name).unwrap().recipe;
        recipe.sgd.epochs = epochs.max(recipe.sgd.epochs);
        let trials = [Trial { recipe, seed: 0, stop_after: None }];
        let (stop, epochs) = (AtomicBool::new(epochs == 0), AtomicUsize::new(0));
        let progress = |done| {
            stop.store(true, Ordering::Relaxed);
            epochs.fetch_add(done, Ordering::Relaxed);
        };
        let options = Options { progress: &progress, stop: &stop, ..Options::default() };
        let stopped = train(&data, &trials, &options);
        assert!(matches!(stopped, Err(Error::Stopped)), "{name}");
        assert!(epochs.load(Ordering::Relaxed) <= 1, "{name}");
    }
    let mut without = data.clone();
    without.stage_1 = None;
    let stopped = train_stage_1_until(&mut without, &AtomicBool::new(true));
    assert!(matches!(stopped, Err(Error::Stopped)) && without.stage_1.is_none());
    let (stop, method) = (AtomicBool::new(true), methods::find("los").unwrap());
    let comparison = Comparison::new(&data, Selection::Last, vec![0]).unwrap().with_stop(&stop);
    assert!(matches!(comparison.run(&method, &|_| {}), Err(Error::Stopped)));
}
