//! The head trained on images.

use tailfit::features::{DataSet, Features};
use tailfit::methods;
use tailfit::metrics::TestPart;
use tailfit::recipe::{Recipe, Sgd};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit_backbone::{
    Augmentation, Extraction, Extractor, Live, LiveEpoch, Network, NormMode, Preparation, StoredAs,
    Subset, stage_1_head,
};

use crate::support::close;
use crate::training::{data, recipe, train_all};

fn los() -> Recipe {
    Recipe {
        sgd: Sgd { epochs: 3, batch_size: 8, lr: 0.05, ..methods::find("los").unwrap().recipe.sgd },
        ..methods::find("los").unwrap().recipe
    }
}

fn preparation(augmentation: Augmentation) -> Preparation {
    Preparation { augmentation, ..recipe().preparation() }
}

fn live(
    network: &Network,
    recipe: &Recipe,
    norm: NormMode,
    augmentation: Augmentation,
) -> Vec<LiveEpoch> {
    let data = data(0);
    let run = Live {
        recipe,
        seed: 4,
        data: &data,
        network,
        norm,
        preparation: preparation(augmentation),
        bf16: false,
        report: &|| {},
    };
    run.train().unwrap()
}

/// Batches of one image have no statistics, so that nothing would be trained.
#[test]
fn batches_of_one_image_are_refused() {
    let network = train_all(&data(0), &recipe(), tempfile::tempdir().unwrap().path());
    let recipe = Recipe { sgd: Sgd { batch_size: 1, ..los().sgd }, ..los() };
    let run = Live {
        recipe: &recipe,
        seed: 4,
        data: &data(0),
        network: &network,
        norm: NormMode::Train,
        preparation: preparation(Augmentation::Weak),
        bf16: false,
        report: &|| {},
    };
    let message = run.train().unwrap_err().to_string();
    assert!(message.contains("batch_size: expected at least 2, found 1"), "{message}");
}

/// With features frozen and no augmentation, there is nothing live about it.
#[test]
fn frozen_it_is_training_on_extracted_features() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(0);
    let network = train_all(&data, &recipe(), folder.path());
    let extraction = Extraction {
        preparation: preparation(Augmentation::Weak),
        norm: NormMode::Evaluate,
        bf16: false,
        mirror: true,
        views: 0,
        seed: 0,
        stored: StoredAs::F32,
    };
    let features = |part: Subset, name: &str| {
        let path = folder.path().join(name);
        extraction.write(Extractor::Network(&network), &data, part, &path, "", &|_| {}).unwrap();
        Features::load(&path, None).unwrap()
    };
    let (train_set, test) =
        (features(Subset::Train, "train.safetensors"), features(Subset::Test, "test.safetensors"));
    let head = stage_1_head(&network, None, &data);
    let thresholds = ShotThresholds::default();
    let set = DataSet::new("toy", train_set, test, None, Some(head), thresholds).unwrap();
    let trial = Trial { recipe: los(), seed: 4, stop_after: None };
    let cached = train(&set, &[trial], &Options::default()).unwrap().remove(0);

    let epochs = live(&network, &los(), NormMode::Evaluate, Augmentation::None);
    let losses: Vec<f64> = epochs[1..].iter().map(|epoch| epoch.train_loss.unwrap()).collect();
    close("losses", &losses, &cached.train_loss, 1e-4);
    let after = stage_1_head(&network, None, &data).head;
    let flat = |head: &tailfit::head::Head| head.weight.iter().copied().collect::<Vec<_>>();
    close("weights", &flat(&after), &flat(&cached.head), 1e-3);
    for (epoch, hits) in epochs.iter().zip(&cached.hits) {
        let cached = hits.test.in_part(TestPart::All).iter().sum::<u32>();
        let live = epoch.mirrored_accuracy.overall_percent * data.len(Subset::Test) as f64 / 100.0;
        assert_eq!(live.round(), f64::from(cached));
    }
}

#[test]
fn live_the_statistics_drift_and_the_backbone_stays() {
    let folder = tempfile::tempdir().unwrap();
    let network = train_all(&data(0), &recipe(), folder.path());
    let entries = |part: &str| -> Vec<Vec<f64>> {
        let chosen = network.parameters().iter().filter(|p| p.name.ends_with(part));
        chosen.map(|p| crate::tensors::values(&p.tensor)).collect()
    };
    let before = ["conv1.weight", "bn1.bias", "running_mean", "linear.weight"].map(entries);
    live(&network, &los(), NormMode::Train, Augmentation::Weak);
    let after = ["conv1.weight", "bn1.bias", "running_mean", "linear.weight"].map(entries);
    assert!(before[0] == after[0] && before[1] == after[1], "the backbone has changed");
    assert!(before[2] != after[2], "running statistics drift");
    assert!(before[3] != after[3], "the head is trained");
}

#[test]
fn what_live_training_cannot_do_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(0);
    let network = train_all(&data, &recipe(), folder.path());
    for (method, key) in [("cosine", "head"), ("max-norm-epoch", "constraint"), ("crt", "start")] {
        let recipe = methods::find(method).unwrap().recipe;
        let run = Live {
            recipe: &recipe,
            seed: 0,
            data: &data,
            network: &network,
            norm: NormMode::Train,
            preparation: preparation(Augmentation::Weak),
            bf16: false,
            report: &|| {},
        };
        let error = run.train().unwrap_err().to_string();
        assert!(error.contains(&format!("recipe.{key}")), "{error}");
    }
}
