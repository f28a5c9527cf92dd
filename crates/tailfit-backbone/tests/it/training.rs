//! Training, stopping, going on, and features, on toy images.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tailfit::class_counts::ClassCounts;
use tailfit::images::{Images, Kept, LongTail, Profile, Split};
use tailfit::losses::{AnyLoss, ClassWeights, CrossEntropy, Ldam, Objective};
use tailfit::recipe::{Cost, Sampler, Schedule, Sgd};
use tailfit::shots::ShotThresholds;
use tailfit_backbone::{
    BackboneRecipe, End, Event, HeadLayer, ImageData, LAST, LOG, Run, State, device, host_loss,
    set_threads,
};
use tch::{Kind, Tensor};

use crate::support::close;
use crate::tensors::{formula, values};

pub(crate) const SIDE: usize = 8;
pub(crate) const K: usize = 3;

/// Classes differ in brightness of the upper half; the rest is noise.
pub(crate) fn images(per_class: usize, key: u64) -> Images {
    let labels: Vec<u32> = (0..per_class * K).map(|i| (i % K) as u32).collect();
    let noise = formula(key, 1, &[(labels.len() * 3 * SIDE * SIDE) as i64], |u| 40.0 * u);
    let noise = values(&noise);
    let pixel = |i: usize| {
        let (image, place) = (i / (3 * SIDE * SIDE), i / 3 % (SIDE * SIDE));
        let upper = if place < SIDE * SIDE / 2 { 60.0 * f64::from(labels[image]) } else { 0.0 };
        (60.0 + upper + noise[i]) as u8
    };
    let pixels = (0..noise.len()).map(pixel).collect();
    Images::in_memory(pixels, (SIDE, SIDE), labels, K)
}

pub(crate) fn data(validation_per_class: usize) -> ImageData {
    let (train, test) = (images(20, 5), images(6, 6));
    let rule = LongTail { profile: Profile::Exponential, imbalance_ratio: 4.0 };
    let kept = Kept::NumpyShuffle { seed: 0 };
    let thresholds = ShotThresholds::default();
    let split = Split::cut(&train.labels, K, rule, kept, validation_per_class, thresholds).unwrap();
    ImageData::new([train, test], split).unwrap()
}

pub(crate) fn recipe() -> BackboneRecipe {
    BackboneRecipe {
        score_every: 2,
        sgd: Sgd { epochs: 3, batch_size: 8, lr: 0.01, ..BackboneRecipe::default().sgd },
        ..Default::default()
    }
}

/// Trains in `folder`, told to stop after `batches`.
pub(crate) fn train(
    data: &ImageData,
    recipe: &BackboneRecipe,
    folder: &Path,
    batches: usize,
) -> tailfit::error::Result<(tailfit_backbone::Network, State, End)> {
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let report = |event: Event<'_>| {
        if matches!(event, Event::Batch { .. })
            && done.fetch_add(1, Ordering::Relaxed) + 1 >= batches
        {
            stop.store(true, Ordering::Relaxed);
        }
    };
    // Tests run beside each other.
    set_threads(1);
    let device = device("cpu").unwrap();
    Run { recipe, seed: 3, data, device, folder, stop: &stop, report: &report }.train()
}

pub(crate) fn train_all(
    data: &ImageData,
    recipe: &BackboneRecipe,
    folder: &Path,
) -> tailfit_backbone::Network {
    train(data, recipe, folder, usize::MAX).unwrap().0
}

#[test]
fn stopped_anywhere_and_taken_up_again_the_weights_are_the_same_bits() {
    for (name, recipe) in [
        ("plain", recipe()),
        ("bf16", BackboneRecipe { precision: tailfit::Precision::Bf16, ..recipe() }),
        (
            "drw",
            BackboneRecipe {
                cost: Cost {
                    loss: AnyLoss::Ldam(Ldam::default()),
                    class_weights: ClassWeights::EffectiveNumber { beta: 0.99 },
                    defer_weights_to_epoch: 2,
                    ..recipe().cost
                },
                head: HeadLayer::Cosine { scale: 30.0 },
                sampler: Sampler::ClassBalanced,
                decay_norm_and_bias: false,
                sgd: Sgd { nesterov: true, ..recipe().sgd },
                ..recipe()
            },
        ),
    ] {
        let state = same_bits_after_stops(name, &recipe);
        assert_eq!(state.log.len(), 3);
        assert!(state.log[0].accuracy.is_none() && state.log[1].accuracy.is_some());
        assert!(state.log[2].train_loss < state.log[0].train_loss, "{:?}", state.log);
    }
}

/// Trains a recipe in one go and in parts, checks that both write the same files, and gives its state.
pub(crate) fn same_bits_after_stops(name: &str, recipe: &BackboneRecipe) -> State {
    let (data, folder) = (data(0), tempfile::tempdir().unwrap());
    let [whole, parts] = ["whole", "parts"].map(|part| folder.path().join(part));
    let (_, state, end) = train(&data, recipe, &whole, usize::MAX).unwrap();
    assert_eq!(end, End::Finished, "{name}");
    // 40 images make 5 batches: stops fall within epochs and at their ends.
    let mut stops = 0;
    while train(&data, recipe, &parts, 2 + stops % 2).unwrap().2 == End::Stopped {
        stops += 1;
    }
    assert!(stops >= 5, "{name}: {stops} stops");
    for file in [LAST, LOG] {
        let [whole, parts] =
            [&whole, &parts].map(|folder| fs_err::read(folder.join(file)).unwrap());
        assert!(whole == parts, "{name}: {file} differs");
    }
    state
}

#[test]
fn a_checkpoint_of_another_run_is_refused_by_name_and_a_damaged_one_too() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    train(&data, &recipe(), folder.path(), 2).unwrap();
    let message = |recipe: &BackboneRecipe| {
        train(&data, recipe, folder.path(), usize::MAX).unwrap_err().to_string()
    };
    let other = BackboneRecipe { sgd: Sgd { lr: 0.1, ..recipe().sgd }, ..recipe() };
    let refused = message(&other);
    assert!(refused.contains("checkpoint.safetensors: lr: expected 0.1, found 0.01"), "{refused}");
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let whole = fs_err::read(&checkpoint).unwrap();
    for length in [0, 5, 100, whole.len() / 2, whole.len() - 1] {
        fs_err::write(&checkpoint, &whole[..length]).unwrap();
        let refused = message(&recipe());
        assert!(refused.contains("checkpoint.safetensors"), "{length}: {refused}");
        assert_eq!(fs_err::read(&checkpoint).unwrap().len(), length, "it is left as it is");
    }
}

#[test]
fn divergence_is_an_error_and_the_last_checkpoint_stays() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    // One good epoch, then a rate out of this world.
    let schedule =
        Schedule::Step { milestones: vec![1], factors: vec![1e38], warm_up: 0, warm_up_from: None };
    let recipe = BackboneRecipe { sgd: Sgd { schedule, ..recipe().sgd }, ..recipe() };
    let error = train(&data, &recipe, folder.path(), usize::MAX).unwrap_err().to_string();
    assert!(error.contains("epoch 1") && error.contains("expected a finite loss"), "{error}");
    let log = fs_err::read_to_string(folder.path().join(LOG)).unwrap();
    assert_eq!(log.lines().count(), 1);
    let again = train(&data, &recipe, folder.path(), usize::MAX).unwrap_err().to_string();
    assert_eq!(error, again, "the same checkpoint is taken up");
}

#[test]
fn images_and_split_have_to_fit() {
    let train = images(20, 5);
    let rule = LongTail { profile: Profile::Step, imbalance_ratio: 4.0 };
    let thresholds = ShotThresholds::default();
    let cut = |n| Split::cut(&train.labels, K, rule, Kept::FirstN, n, thresholds);
    assert!(cut(20).unwrap_err().to_string().contains("at least one training image"));
    let split = cut(4).unwrap();
    assert_eq!((split.counts.clone(), split.validation.len()), (vec![16, 4, 4], 12));
    let fewer = ImageData::new([images(5, 5), images(5, 6)], split.clone());
    assert!(fewer.unwrap_err().to_string().contains("expected indices below 15"));
    let mut labels = images(20, 5);
    labels.labels.reverse();
    let other = ImageData::new([labels, images(5, 6)], split.clone());
    assert!(other.unwrap_err().to_string().contains("other numbers of images"));
    let mut twice = split.clone();
    twice.validation[0] = twice.train[0];
    let refused = ImageData::new([images(20, 5), images(5, 6)], twice).unwrap_err().to_string();
    assert!(refused.contains("twice"), "{refused}");
    let text = split.to_json().replacen("\"train\":[0,", "\"train\":[3,", 1);
    assert!(Split::from_json(&text, "split.json").unwrap_err().to_string().contains("edited"));
    assert_eq!(Split::from_json(&split.to_json(), "").unwrap(), split);
}

#[test]
fn the_cores_loss_goes_back_like_libtorchs_own() {
    let counts = ClassCounts::new(vec![5, 3, 2]).unwrap();
    let objective = Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
    let features = formula(1, 2, &[4, 5], |u| u);
    let weight = || formula(1, 3, &[5, 3], |u| u).set_requires_grad(true);
    let labels = [0_i64, 2, 1, 2];
    let (ours, theirs) = (weight(), weight());
    let loss = host_loss(&objective, &features.matmul(&ours), &labels);
    let logits = features.matmul(&theirs).log_softmax(1, Kind::Double);
    let reference = logits.g_nll_loss::<&Tensor>(
        &Tensor::from_slice(&labels),
        None,
        tch::Reduction::Mean,
        -100,
    );
    close("value", &values(&loss), &values(&reference), 1e-14);
    (loss * 2.5).backward();
    (reference * 2.5).backward();
    close("gradient", &values(&ours.grad()), &values(&theirs.grad()), 1e-14);
}
