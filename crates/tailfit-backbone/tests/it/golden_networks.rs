//! Networks against the authors' code, in f64 (`net_*.json`).

use serde_json::Value;
use tailfit::class_counts::ClassCounts;
use tailfit::images::{LongTail, Profile};
use tailfit::losses::{AnyLoss, CrossEntropy, Ldam, Objective};
use tailfit_backbone::{Architecture, Build, HeadLayer, Network, NormMode, Pass, host_loss};
use tch::{Device, Kind, Tensor};

use crate::support::{close, golden, numbers, unit};
use crate::tensors::{formula, values};

const TRAIN: Pass = Pass { norm: NormMode::Train, bf16: false };
const BATCH: Pass = Pass { norm: NormMode::Batch, bf16: false };
const EVALUATE: Pass = Pass { norm: NormMode::Evaluate, bf16: false };

/// Reordered sums in f64 move the numbers by less.
const TOLERANCE: f64 = 1e-9;

fn build(architecture: Architecture, head: HeadLayer, n_classes: usize) -> Network {
    let init = architecture.default_init();
    let (kind, device) = (Kind::Double, Device::Cpu);
    Network::new(Build { architecture, init, head, n_classes, seed: 0, kind, device })
}

/// Sets all entries by the files' formula.
fn fill(network: &Network, key: u64) {
    for (p, parameter) in network.parameters().iter().enumerate() {
        let (name, shape) = (parameter.name.as_str(), parameter.tensor.size());
        let last = name.rsplit('.').next().unwrap();
        let fan_in = match shape.as_slice() {
            [_, inputs, height, width] => (inputs * height * width) as f64,
            // A linear layer's [K, D], or a normalised one's [D, K].
            [a, b] => *if shape[0] == 64 { a } else { b } as f64,
            _ => 1.0,
        };
        let norm = shape.len() == 1 && !name.starts_with("fc") && !name.starts_with("linear");
        let value = |u: f64| match (last, norm) {
            ("running_var", _) => 1.0 + 0.5 * u,
            ("num_batches_tracked", _) => 0.0,
            ("weight", true) => 1.0 + 0.25 * u,
            ("weight", false) => u * (3.0 / fan_in).sqrt(),
            _ => 0.1 * u,
        };
        network.parameters().set(p, &formula(key, p as u64, &shape, value), "formula").unwrap();
    }
}

fn images(key: u64, stream: u64, shape: &Value) -> Tensor {
    let shape: Vec<i64> = numbers(shape).into_iter().map(|n| n as i64).collect();
    formula(key, stream, &shape, |u| 2.0 * u)
}

/// Cross-entropy; of cosines LDAM with scale 30 and largest margin 0.5 at CIFAR-100-LT's counts.
fn loss(logits: &Tensor, labels: &[i64], cosine: bool) -> Tensor {
    let k = logits.size()[1] as usize;
    let rule = LongTail { profile: Profile::Exponential, imbalance_ratio: 100.0 };
    let counts = ClassCounts::new(rule.counts(500, k)).unwrap();
    let loss = if cosine {
        AnyLoss::Ldam(Ldam { max_margin: 0.5, scale: SCALE })
    } else {
        AnyLoss::CrossEntropy(CrossEntropy {})
    };
    host_loss(&Objective::plain(loss, &counts), logits, labels)
}

/// LDAM's; the files have the bare cosines.
const SCALE: f64 = 30.0;

fn check(file: &str, architecture: Architecture, head: HeadLayer) {
    let golden = golden(file);
    let (header, wanted) = (&golden["header"], &golden["network"]);
    let key = header["key"].as_u64().unwrap();
    let k = wanted["num_classes"].as_u64().unwrap() as usize;
    let network = build(architecture, head, k);
    assert_eq!(network.parameters().count() as u64, wanted["parameters"].as_u64().unwrap());
    let entries: Vec<Value> =
        network.parameters().iter().map(|p| serde_json::json!([p.name, p.tensor.size()])).collect();
    assert_eq!(Value::from(entries), wanted["state_dict"], "names and shapes in order");
    fill(&network, key);

    let x = images(key, 60_000, &wanted["input_shape"]);
    let cosine = head != HeadLayer::Linear;
    let forward = |x: &Tensor, pass| {
        let features = network.features(x, pass);
        (values(&features), network.logits(&features))
    };
    let bare = |logits: &Tensor| values(&(logits / if cosine { SCALE } else { 1.0 }));
    let (features, logits) = forward(&x, EVALUATE);
    close("features", &features, &numbers(&wanted["eval"]["feature"]), TOLERANCE);
    close("logits", &bare(&logits), &numbers(&wanted["eval"]["logits"]), TOLERANCE);
    let (_, flipped) = forward(&x.flip([3]), EVALUATE);
    let mirrored = numbers(&wanted["eval"]["logits_of_flipped_input"]);
    close("mirrored", &bare(&flipped), &mirrored, TOLERANCE);
    if let Some(other) = wanted.get("eval_other_size") {
        let (features, logits) = forward(&images(key, 60_001, &other["input_shape"]), EVALUATE);
        close("other size", &features[..16], &numbers(&other["feature"])[..16], TOLERANCE);
        close("other size", &values(&logits)[..10], &numbers(&other["logits"]), TOLERANCE);
    }

    let (features, _) = forward(&x, BATCH);
    let train = &wanted["train"];
    close("batch features", &features, &numbers(&train["feature"]), TOLERANCE);
    let (features, logits) = forward(&x, TRAIN);
    close("train features", &features, &numbers(&train["feature"]), TOLERANCE);
    close("train logits", &bare(&logits), &numbers(&train["logits"]), TOLERANCE);
    let labels: Vec<i64> = numbers(&wanted["labels"]).into_iter().map(|y| y as i64).collect();
    let loss = loss(&logits, &labels, cosine);
    close("loss", &values(&loss), &numbers(&train["loss"]), TOLERANCE);
    loss.backward();
    let gradients = train["grad"].as_array().unwrap();
    assert_eq!(gradients.len(), network.parameters().trained().count());
    for (p, parameter) in network.parameters().iter().enumerate().filter(|(_, p)| p.trained) {
        let wanted = gradients.iter().find(|g| g[0] == parameter.name.as_str()).unwrap();
        let grad = values(&parameter.tensor.grad());
        let norm = grad.iter().map(|g| g * g).sum::<f64>().sqrt();
        close(&parameter.name, &[norm], &[wanted[1].as_f64().unwrap()], TOLERANCE);
        let probe: f64 =
            grad.iter().enumerate().map(|(i, g)| g * unit(key, 1000 + p as u64, i as u64)).sum();
        // Relative to the norm: the probe itself may cancel.
        assert!((probe - wanted[2].as_f64().unwrap()).abs() < TOLERANCE * norm.max(1e-9));
    }
    for wanted in train["running_stats_after"].as_array().unwrap() {
        let name = wanted[0].as_str().unwrap();
        let parameter = network.parameters().iter().find(|p| p.name == name).unwrap();
        let statistics = values(&parameter.tensor);
        let norm = statistics.iter().map(|v| v * v).sum::<f64>().sqrt();
        let got = [norm, statistics[0], statistics[statistics.len() - 1]];
        close(name, &got, &numbers(&wanted.as_array().unwrap()[1..].to_vec().into()), TOLERANCE);
    }
    let batches = network.parameters().iter().find(|p| p.name.ends_with("bn1.num_batches_tracked"));
    assert_eq!(values(&batches.unwrap().tensor), [1.0]);
}

/// PyTorch's fan-out does not know of groups: N(0, 2 / (outputs · 9)).
#[test]
fn grouped_convolutions_begin_as_torchvisions() {
    let network = build(Architecture::Resnext50, HeadLayer::Linear, 10);
    let find = |name: &str| network.parameters().iter().find(|p| p.name == name).unwrap();
    let weight = values(&find("layer1.0.conv2.weight").tensor);
    let variance = weight.iter().map(|w| w * w).sum::<f64>() / weight.len() as f64;
    let wanted = 2.0 / (128.0 * 9.0);
    assert!((variance / wanted - 1.0).abs() < 0.1, "{variance} against {wanted}");
}

#[test]
fn resnet_32() {
    check("net_ldam_resnet32_linear.json", Architecture::Resnet32, HeadLayer::Linear);
    check("net_ldam_resnet32_c10.json", Architecture::Resnet32, HeadLayer::Linear);
}

#[test]
fn resnet_32_with_a_normalised_head() {
    check(
        "net_ldam_resnet32_normed.json",
        Architecture::Resnet32,
        HeadLayer::Cosine { scale: SCALE },
    );
}

#[test]
fn resnet_34_for_small_images() {
    check("net_los_resnet34_pool4.json", Architecture::Resnet34Cifar, HeadLayer::Linear);
}

#[test]
fn resnet_50() {
    check("net_resnet50.json", Architecture::Resnet50, HeadLayer::Linear);
}

#[test]
fn resnext_50() {
    check("net_resnext50_32x4d.json", Architecture::Resnext50, HeadLayer::Linear);
}

/// Both last blocks of BBN's network, side by side.
#[test]
fn bbn_resnet_32() {
    check("net_bbn_resnet32.json", Architecture::BbnResnet32, HeadLayer::Linear);
}
