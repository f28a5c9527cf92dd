//! The head trained on images.

use tailfit::data_set::DataSet;
use tailfit::features::Features;
use tailfit::methods;
use tailfit::precision::Precision;
use tailfit::recipe::Recipe;
use tailfit::shots::ShotThresholds;
use tailfit::train::{Run, Trial, train};
use tailfit_backbone::{
    Augmentation, Extraction, HeadLayer, Live, LiveEpoch, Network, NormMode, Part, Preparation,
    Source, Stored, stage_1_head,
};

use crate::support::close;
use crate::training::{data, recipe, train_all};

fn los() -> Recipe {
    Recipe { epochs: 3, batch_size: 8, lr: 0.05, ..methods::find("los").unwrap().recipe }
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
        half: false,
        report: &|| {},
    };
    run.train().unwrap()
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
        half: false,
        mirror: true,
        views: 0,
        seed: 0,
        stored: Stored::F32,
    };
    let features = |part: Part, name: &str| {
        let path = folder.path().join(name);
        extraction.write(Source::Network(&network), &data, part, &path, "", &|_| {}).unwrap();
        Features::load(&path, None).unwrap()
    };
    let (train_set, test) =
        (features(Part::Train, "train.safetensors"), features(Part::Test, "test.safetensors"));
    let head = stage_1_head(&network, HeadLayer::Linear);
    let thresholds = ShotThresholds::default();
    let set = DataSet::new("toy", train_set, test, None, Some(head), thresholds).unwrap();
    let run = Run { progress: &|_| {}, score_every_epoch: true, precision: Precision::F32 };
    let trial = Trial { recipe: los(), seed: 4, stop_after: None };
    let cached = train(&set.problem(false).unwrap(), &[trial], &run).unwrap().remove(0);

    let epochs = live(&network, &los(), NormMode::Evaluate, Augmentation::None);
    let losses: Vec<f64> = epochs[1..].iter().map(|epoch| epoch.train_loss.unwrap()).collect();
    close("losses", &losses, &cached.train_loss, 1e-4);
    let after = stage_1_head(&network, HeadLayer::Linear).head;
    let flat = |head: &tailfit::head::Head| head.weight.iter().copied().collect::<Vec<_>>();
    close("weights", &flat(&after), &flat(&cached.head), 1e-3);
    for (epoch, hits) in epochs.iter().zip(&cached.hits) {
        let cached = hits[0].total().iter().sum::<u32>();
        let live = epoch.mirrored_accuracy.overall_percent * data.len(Part::Test) as f64 / 100.0;
        assert!((live - f64::from(cached)).abs() < 1.5, "{live} against {cached}");
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
            half: false,
            report: &|| {},
        };
        let error = run.train().unwrap_err().to_string();
        assert!(error.contains(&format!("recipe.{key}")), "{error}");
    }
}
