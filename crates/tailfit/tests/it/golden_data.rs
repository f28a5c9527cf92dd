//! Published long-tailed subsets against the authors' code (`data.json`).

use serde_json::Value;
use sha2::{Digest, Sha256};
use tailfit::class_counts::ClassCounts;
use tailfit::images::{Kept, LongTail, Mt19937, Profile, Split, kept_positions, read_cifar};
use tailfit::metrics::Accuracy;
use tailfit::shots::ShotThresholds;

use crate::support::{close, counts, golden, labels, numbers, shared};

fn rule(case: &Value) -> LongTail {
    let profile = if case["type"] == "step" { Profile::Step } else { Profile::Exponential };
    LongTail { profile, imbalance_ratio: case["ir"].as_f64().unwrap() }
}

fn kept(case: &Value) -> Kept {
    match case["numpy_seed"].as_u64() {
        Some(seed) => Kept::NumpyShuffle { seed: seed as u32 },
        None => Kept::FirstN,
    }
}

fn sha256_csv(values: impl IntoIterator<Item = usize>) -> String {
    let text: Vec<String> = values.into_iter().map(|v| v.to_string()).collect();
    sha256(text.join(",").as_bytes())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

#[test]
fn class_counts_and_groups() {
    let golden = golden("data.json");
    for case in golden["counts"].as_array().unwrap() {
        let (n_max, k) = if case["dataset"] == "cifar10" { (5000, 10) } else { (500, 100) };
        for (key, profile) in [("exp", Profile::Exponential), ("step", Profile::Step)] {
            let rule = LongTail { profile, imbalance_ratio: case["ir"].as_f64().unwrap() };
            let got = rule.counts(n_max, k);
            assert_eq!(got, counts(&case[key]["counts"]), "{} {key}", case["ir"]);
            if key == "exp" {
                let sizes = ShotThresholds::default().sizes(&ClassCounts::new(got).unwrap());
                assert_eq!(sizes.to_vec(), counts(&case["groups_exp"]["oltr_>100_20to100_<20"]));
            }
        }
    }
    for case in golden["ewb_fdr_counts"].as_array().unwrap() {
        let rule = LongTail {
            profile: Profile::Exponential,
            imbalance_ratio: case["ir"].as_f64().unwrap(),
        };
        let got = rule.rounded_counts(480, 100);
        assert_eq!(got, counts(&case["counts"]));
        let sizes = ShotThresholds::default().sizes(&ClassCounts::new(got).unwrap());
        assert_eq!(sizes.to_vec(), counts(&case["groups"]));
    }
}

#[test]
fn positions_of_every_published_subset() {
    let golden = golden("data.json");
    let lists = golden["index_lists"].as_array().unwrap().iter().map(|c| (c, 500, 100));
    let cifar10 = golden["cifar10_positions"].as_array().unwrap().iter().map(|c| (c, 5000, 10));
    for (case, n_max, k) in lists.chain(cifar10) {
        let positions = kept_positions(kept(case), &rule(case).counts(n_max, k), n_max);
        let all = positions.into_iter().flatten();
        assert_eq!(sha256_csv(all), case["sha256_positions_csv"], "{}", case["id"]);
    }
}

#[test]
fn record_numbers_of_every_published_subset_of_cifar_100() {
    let Some(folder) = shared("data/cifar-100-binary") else { return };
    let images = read_cifar(&folder).unwrap().train;
    for case in golden("data.json")["index_lists"].as_array().unwrap() {
        let thresholds = ShotThresholds::default();
        let split = Split::cut(&images.labels, 100, rule(case), kept(case), 0, thresholds).unwrap();
        assert_eq!(split.train_sha256, case["sha256_csv"], "{}", case["id"]);
        let selected: Vec<usize> = split.train.iter().map(|&i| i as usize).collect();
        assert_eq!(selected.len() as u64, case["total"].as_u64().unwrap());
        assert_eq!(sha256_csv(selected.iter().copied()), case["sha256_csv"], "{}", case["id"]);
        let le: Vec<u8> = selected.iter().flat_map(|&i| (i as u32).to_le_bytes()).collect();
        assert_eq!(sha256(&le), case["sha256_u32le"], "{}", case["id"]);
    }
}

#[test]
fn numpys_legacy_shuffle() {
    for case in golden("data.json")["numpy_legacy_shuffle"].as_array().unwrap() {
        let seed = case["seed"].as_u64().unwrap() as u32;
        let mut ten: Vec<usize> = (0..10).collect();
        Mt19937::new(seed).shuffle(&mut ten);
        assert_eq!(ten, counts(&case["shuffle_10"]));
        let mut rng = Mt19937::new(seed);
        for key in ["shuffle_500_first_10", "second_shuffle_500_first_10"] {
            let mut items: Vec<usize> = (0..500).collect();
            rng.shuffle(&mut items);
            assert_eq!(items[..10], counts(&case[key])[..], "{key}");
        }
    }
}

#[test]
fn group_accuracy() {
    let case = &golden("data.json")["shot_acc"];
    let counts = ClassCounts::new(counts(&case["train_counts"])).unwrap();
    let (mut hits, mut samples) = (vec![0; 6], vec![0; 6]);
    for (label, prediction) in labels(&case["labels"]).into_iter().zip(labels(&case["predictions"]))
    {
        samples[label as usize] += 1;
        hits[label as usize] += u32::from(label == prediction);
    }
    let got = Accuracy::new(&hits, &samples, &counts, ShotThresholds::default());
    let groups = [got.many_percent, got.medium_percent, got.few_percent].map(Option::unwrap);
    let want = ["many", "medium", "few"].map(|key| 100.0 * numbers(&case[key])[0]);
    close("groups", &groups, &want, 1e-12);
}
