//! Systems on toy images: they learn, go on after a stop with the same bits, predict what their head
//! says, and refuse what does not fit.

use ndarray::{Array2, ArrayView1};
use tailfit::features::Features;
use tailfit::losses::ClassWeights;
use tailfit::recipe::{Cost, Schedule, Sgd};
use tailfit_backbone::systems::{AnySystem, Area, Bbn, EwbFdr, Rbl, Tde};
use tailfit_backbone::{
    Architecture, BackboneRecipe, Extractor, HeadLayer, Network, Subset, stage_1_head,
};

use crate::files::extraction;
use crate::support::close;
use crate::tensors::values;
use crate::training::{data, recipe, same_bits_after_stops, train, train_all};

/// Every system with what it needs, on a network that is small enough for tests.
fn systems() -> Vec<(&'static str, BackboneRecipe)> {
    let with =
        |network, head, system| BackboneRecipe { network, head, system: Some(system), ..recipe() };
    let (one, two) = (Architecture::Resnet32, Architecture::BbnResnet32);
    let causal = HeadLayer::CausalCosine { chunks: 2, scale: 16.0 };
    let ewb_fdr = EwbFdr { feature_decay: 0.01, strength: 0.65 };
    vec![
        ("area", with(one, HeadLayer::Linear, AnySystem::Area(Area { from_epoch: 1 }))),
        ("bbn", with(two, HeadLayer::Linear, AnySystem::Bbn(Bbn {}))),
        ("ewb-fdr", with(one, HeadLayer::FixedEtf, AnySystem::EwbFdr(ewb_fdr))),
        ("rbl", with(one, HeadLayer::RotatedEtf, AnySystem::Rbl(Rbl { strength: 1.0 }))),
        ("tde", with(two, causal, AnySystem::Tde(Tde { strength: 1.5 }))),
    ]
}

fn tensor(network: &Network, name: &str) -> Vec<f64> {
    values(&network.parameters().iter().find(|p| p.name == name).unwrap().tensor)
}

#[test]
fn stopped_anywhere_and_taken_up_again_the_weights_are_the_same_bits() {
    for (name, recipe) in systems() {
        let state = same_bits_after_stops(name, &recipe);
        // Not by the loss: AREA's and BBN's weigh it otherwise in every epoch.
        let percent = state.log[2].accuracy.as_ref().unwrap().macro_percent;
        assert!(percent > 50.0, "{name}: {percent} % of three classes");
    }
}

/// The network's features of the test images on file, and a system's logits of them.
fn on_file(network: &Network, system: Option<&AnySystem>) -> (Features, Array2<f64>) {
    let (data, folder) = (data(0), tempfile::tempdir().unwrap());
    let path = folder.path().join("test.safetensors");
    let extractor = Extractor::Network(network);
    extraction().write(extractor, &data, Subset::Test, &path, "", &|_| {}).unwrap();
    let test = Features::load(&path, None).unwrap();
    let head = stage_1_head(network, system, &data).head;
    let logits = head.logits(test.plain.in_memory().unwrap());
    (test, logits)
}

/// What a system predicts classifies the extracted features as the run was scored, and at strength 0
/// that is the head as it was trained.
#[test]
fn predictions_on_features_score_as_the_system_does() {
    let (data, folder) = (data(0), tempfile::tempdir().unwrap());
    for (name, recipe) in systems() {
        let (network, state, _) =
            train(&data, &recipe, &folder.path().join(name), usize::MAX).unwrap();
        let of = |system: Option<&AnySystem>| on_file(&network, system);
        let (test, logits) = of(recipe.system.as_ref());
        let best = |row: ArrayView1<'_, f64>| {
            (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap() as u32
        };
        let hits = logits.rows().into_iter().zip(&test.labels);
        let hits = hits.filter(|(row, label)| best(row.view()) == **label).count();
        let percent = 100.0 * hits as f64 / test.len() as f64;
        let scored = state.log.last().unwrap().accuracy.as_ref().unwrap().overall_percent;
        assert!((percent - scored).abs() < 1e-9, "{name}: {percent} against {scored}");
        let plain = of(None).1;
        let predicts = recipe.system.unwrap().predicts();
        assert_eq!(predicts, logits != plain, "{name}");
        assert_eq!(predicts, recipe.with_strength(0.0).is_ok(), "{name}");
        if predicts {
            let without = of(Some(&recipe.with_strength(0.0).unwrap())).1;
            let flat = |logits: &Array2<f64>| logits.iter().copied().collect::<Vec<f64>>();
            close(name, &flat(&without), &flat(&plain), 1e-6);
            let error = recipe.with_strength(-1.0).unwrap_err().to_string();
            assert!(error.contains("strength"), "{error}");
        }
    }
}

/// RBL subtracts τ log πₖ from logit k, EWB-FDR multiplies it by πₖ^−τ; 20, 10 and 5 of 35 images.
#[test]
fn predictions_take_the_prior_out() {
    let prior = [20.0_f64 / 35.0, 10.0 / 35.0, 5.0 / 35.0];
    for (name, recipe) in
        systems().into_iter().filter(|(name, _)| ["rbl", "ewb-fdr"].contains(name))
    {
        let network = recipe.network(3, 3, tch::Device::Cpu);
        let strong = recipe.with_strength(0.5).unwrap();
        let [plain, taken] = [None, Some(&strong)].map(|system| on_file(&network, system).1);
        for (plain, taken) in plain.rows().into_iter().zip(taken.rows()) {
            for (k, pi) in prior.iter().enumerate() {
                let wanted =
                    if name == "rbl" { plain[k] - 0.5 * pi.ln() } else { plain[k] * pi.powf(-0.5) };
                assert!((taken[k] - wanted).abs() < 1e-4 * wanted.abs().max(1.0), "{name} {k}");
            }
        }
    }
}

/// A step out of this world is an error of training, not of a decomposition.
#[test]
fn a_rotation_that_diverges_is_said() {
    let (data, folder) = (data(0), tempfile::tempdir().unwrap());
    let (_, rbl) = systems().into_iter().find(|(name, _)| *name == "rbl").unwrap();
    let recipe = BackboneRecipe { sgd: Sgd { lr: 1e30, ..rbl.sgd.clone() }, ..rbl };
    let error = train(&data, &recipe, folder.path(), usize::MAX).unwrap_err().to_string();
    assert!(error.contains("training diverged"), "{error}");
}

#[test]
fn a_rotation_stays_one_and_a_fixed_frame_stays() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let find = |wanted: &str| systems().into_iter().find(|(name, _)| *name == wanted).unwrap().1;
    let before = find("rbl").network(3, 3, tch::Device::Cpu);
    let after = train_all(&data, &find("rbl"), &folder.path().join("rbl"));
    let [first, last] = [&before, &after].map(|network| tensor(network, "linear.rotation"));
    assert!(first.iter().zip(&last).any(|(a, b)| (a - b).abs() > 1e-3), "it turns");
    // 64 features and 3 classes: `[64, 64]`.
    for (i, j) in (0..64).flat_map(|i| (0..=i).map(move |j| (i, j))) {
        let dot: f64 = (0..64).map(|c| last[64 * i + c] * last[64 * j + c]).sum();
        assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-5, "{i} {j}: {dot}");
    }
    let before = find("ewb-fdr").network(3, 3, tch::Device::Cpu);
    let after = train_all(&data, &find("ewb-fdr"), &folder.path().join("ewb-fdr"));
    let [first, last] = [&before, &after].map(|network| tensor(network, "linear.weight"));
    assert!(first == last, "the frame is not trained");
    for (i, j) in (0..3).flat_map(|i| (0..3).map(move |j| (i, j))) {
        let dot: f64 = (0..64).map(|c| last[64 * i + c] * last[64 * j + c]).sum();
        let wanted = if i == j { 1.0 } else { -0.5 };
        assert!((dot - wanted).abs() < 1e-6, "{i} {j}: {dot}");
    }
    assert!(tensor(&before, "linear.bias") != tensor(&after, "linear.bias"));
}

#[test]
fn areas_begin_when_they_are_told_to() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let (_, area) = systems().remove(0);
    let weights = |from_epoch: usize, name: &str| {
        let system = Some(AnySystem::Area(Area { from_epoch }));
        let recipe = BackboneRecipe { system, ..area.clone() };
        tensor(&train_all(&data, &recipe, &folder.path().join(name)), "system.class_weights")
    };
    let found = weights(2, "last");
    assert!((found.iter().sum::<f64>() - 3.0).abs() < 1e-5, "{found:?}");
    assert!(found.iter().all(|w| (w - 1.0).abs() > 1e-3), "{found:?}");
}

/// Written with its system and read again, a recipe is the same; what does not belong is named.
#[test]
fn what_does_not_fit_is_refused_by_name() {
    for (name, recipe) in systems() {
        let text = toml::to_string(&recipe).unwrap();
        assert_eq!(BackboneRecipe::from_toml(&text, name).unwrap(), recipe, "{text}");
    }
    let refused = |text: &str| BackboneRecipe::from_toml(text, "r.toml").unwrap_err().to_string();
    for (text, parts) in [
        ("system = { name = \"bbn\", strength = 1.0 }", vec!["strength"]),
        ("system = { name = \"tdr\", strength = 1.0 }", vec!["tdr", "tde"]),
        ("system = { name = \"bbn\" }", vec!["network", "two branches", "resnet32"]),
        ("system = { name = \"tde\", strength = 1.5 }", vec!["head", "causal-cosine", "linear"]),
        ("system = { name = \"rbl\", strength = 1.0 }", vec!["head", "rotated-etf"]),
        ("head = \"rotated-etf\"", vec!["system", "rbl"]),
        (
            "head = \"fixed-etf\"\nsystem = { name = \"ewb-fdr\", feature_decay = -1.0, strength = 1.0 }",
            vec!["feature_decay", "-1"],
        ),
        ("system = { name = \"area\", from_epoch = 200 }", vec!["from_epoch", "below 200"]),
        (
            "class_weights = { power = { rho = 1.0 } }\nsystem = { name = \"area\", from_epoch = 1 }",
            vec!["class_weights", "uniform"],
        ),
        (
            "head = { causal-cosine = { chunks = 3, scale = 16.0 } }",
            vec!["chunks", "divisor of 64"],
        ),
    ] {
        let message = refused(text);
        assert!(parts.iter().all(|part| message.contains(part)), "{text}: {message}");
    }
    // 3 classes in 64 features fit; a checkpoint of another system does not.
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let (_, area) = systems().remove(0);
    train(&data, &area, folder.path(), 2).unwrap();
    let error = train(&data, &recipe(), folder.path(), 2).unwrap_err().to_string();
    assert!(error.contains("checkpoint.safetensors: system: expected nothing"), "{error}");
}

/// With weights of one, AREA's loss is the recipe's own.
#[test]
fn before_its_first_epoch_area_is_plain_training() {
    let data = data(0);
    let folder = tempfile::tempdir().unwrap();
    let (_, area) = systems().remove(0);
    let system = Some(AnySystem::Area(Area { from_epoch: 2 }));
    let cost = Cost { class_weights: ClassWeights::Uniform, ..area.cost };
    let schedule = Schedule::Constant;
    let sgd = Sgd { schedule, ..area.sgd.clone() };
    let late = BackboneRecipe { system, cost, sgd, ..area };
    let plain = BackboneRecipe { system: None, ..late.clone() };
    // Stopped after the second epoch of 5 batches.
    let [a, b] = [("late", late), ("plain", plain)]
        .map(|(name, recipe)| train(&data, &recipe, &folder.path().join(name), 10).unwrap().0);
    assert!(tensor(&a, "conv1.weight") == tensor(&b, "conv1.weight"));
}
