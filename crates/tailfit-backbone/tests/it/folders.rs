//! What a run's folder may hold, and what is noticed before or after the work.

use tailfit::files::lock_folder;
use tailfit::recipe::Sgd;
use tailfit_backbone::{BackboneRecipe, End, LAST, Network, State};

use crate::training::{data, images, recipe, train};

type Trained = tailfit::error::Result<(Network, State, End)>;

fn refused(trained: Trained) -> String {
    trained.map(|_| ()).unwrap_err().to_string()
}

#[test]
fn trained_weights_are_not_trained_over_and_a_folder_has_one_run() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train(&data, &recipe(), &run, usize::MAX).unwrap();
    let weights = fs_err::read(run.join(LAST)).unwrap();
    // Finished: the same command has nothing to do.
    assert_eq!(train(&data, &recipe(), &run, usize::MAX).unwrap().2, End::Finished);
    fs_err::remove_file(run.join("checkpoint.safetensors")).unwrap();
    let message = refused(train(&data, &recipe(), &run, usize::MAX));
    assert!(message.contains("trained weights, last.safetensors"), "{message}");
    assert!(fs_err::read(run.join(LAST)).unwrap() == weights);

    let other = folder.path().join("other");
    let lock = lock_folder(&other).unwrap();
    let message = refused(train(&data, &recipe(), &other, usize::MAX));
    assert!(message.contains("another run in it"), "{message}");
    drop(lock);
    train(&data, &recipe(), &other, usize::MAX).unwrap();
}

/// No batch is trained: it would stop after one.
#[test]
fn what_cannot_be_written_is_said_before_the_work() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs_err::write(&file, "mine").unwrap();
    assert!(train(&data, &recipe(), &file, 1).is_err());
    let run = folder.path().join("run");
    fs_err::create_dir_all(run.join("log.jsonl")).unwrap();
    let message = refused(train(&data, &recipe(), &run, 1));
    assert!(message.contains("log.jsonl: expected a regular file"), "{message}");
    assert!(!run.join("checkpoint.safetensors").exists());
}

/// Told to stop during the last batch of all, there is nothing left to go on with.
#[test]
fn a_run_told_to_stop_at_its_end_is_finished() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    // 40 images make 5 batches, three times.
    let (_, state, end) = train(&data, &recipe(), folder.path(), 15).unwrap();
    assert_eq!((end, state.epoch), (End::Finished, 3));
    assert!(folder.path().join(LAST).exists());
}

/// One batch an epoch: the step that goes wrong is the last one.
#[test]
fn weights_that_diverge_in_the_last_step_are_not_saved() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let sgd = Sgd { epochs: 1, batch_size: images(20, 5).len(), lr: 1e39, ..recipe().sgd };
    let recipe = BackboneRecipe { sgd, ..recipe() };
    let message = refused(train(&data, &recipe, folder.path(), usize::MAX));
    assert!(message.contains("expected finite weights"), "{message}");
    assert!(!folder.path().join(LAST).exists());
}
