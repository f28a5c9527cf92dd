//! The parts of `heads.json` that need no head: class constants, samplers, schedules.

use crate::class_counts::ClassCounts;
use crate::losses::{ClassWeights, Ldam, Loss, VectorScaling};
use crate::recipe::{Sampler, Schedule, class_aware, mix};
use serde_json::Value;

use super::heads::TOLERANCE;
use super::support::{close, counts, numbers};

/// The constants of our losses: LDAM's margins, the scale and prior of VS, and the weights of
/// GRW. (RIDE's, GCL's and label-aware smoothing's belong to other losses.)
pub(crate) fn class_constants(id: &str, case: &Value) {
    let counts = ClassCounts::new(counts(&case["inputs"]["counts"])).unwrap();
    let out = &case["outputs"];
    let ldam = Ldam { max_margin: 0.5, scale: 1.0 }.per_class(&counts);
    close(id, &ldam.margin, &numbers(&out["ldam_margin"]), TOLERANCE);
    let vs = VectorScaling { gamma: 0.3, tau: 1.0 }.per_class(&counts);
    // Their temperature divides the logits.
    let temperature: Vec<f64> = vs.scale.iter().map(|s| 1.0 / s).collect();
    close(id, &temperature, &numbers(&out["vs_temperature_g0_3"]), TOLERANCE);
    close(id, &vs.offset, &numbers(&out["vs_prior_tau1"]), TOLERANCE);
    let grw = ClassWeights::Power { rho: 1.2 }.weights(&counts);
    close(id, &grw, &numbers(&out["grw_rho1_2"]), TOLERANCE);
}

pub(crate) fn samplers(id: &str, p: &Value, out: &Value) {
    let class_counts = counts(&p["class_counts"]);
    let probabilities = |sampler: Sampler| sampler.class_probabilities(&class_counts, 0, 5);
    let check =
        |key: &str, got: &[f64]| close(&format!("{id} {key}"), got, &numbers(&out[key]), TOLERANCE);
    match id {
        "sampler_class_probabilities" => {
            check("balanced", &probabilities(Sampler::ClassBalanced));
            check("instance", &probabilities(Sampler::InstanceBalanced));
            check("square_root", &probabilities(Sampler::SquareRoot));
            check("cube_root", &probabilities(Sampler::Power { q: 1.0 / 3.0 }));
            let half = mix(
                &probabilities(Sampler::InstanceBalanced),
                &probabilities(Sampler::ClassBalanced),
                0.5,
            );
            check("mix_0.5", &half);
            let progressive: Vec<f64> = (0..5)
                .flat_map(|epoch| Sampler::Progressive.class_probabilities(&class_counts, epoch, 5))
                .collect();
            check("progressive_5_epochs", &progressive);
        }
        "sampler_sample_weights" => {
            check("reverse_class_probability", &probabilities(Sampler::Power { q: -1.0 }));
            check("balanced_class_probability", &probabilities(Sampler::ClassBalanced));
            let counts = ClassCounts::new(class_counts.clone()).unwrap();
            let weights = ClassWeights::EffectiveNumber { beta: 0.9999 }.weights(&counts);
            let mass: Vec<f64> =
                weights.iter().zip(&class_counts).map(|(w, &n)| w * n as f64).collect();
            let total: f64 = mass.iter().sum();
            let shares: Vec<f64> = mass.into_iter().map(|m| m / total).collect();
            check("effective_number_class_probability", &shares);
        }
        _ => {
            let mut next = 0;
            let rows: Vec<Vec<u32>> = class_counts
                .iter()
                .map(|&n| {
                    next += n as u32;
                    (next - n as u32..next).collect()
                })
                .collect();
            let per_visit = p["num_samples_cls"].as_u64().unwrap() as usize;
            let first: Vec<f64> =
                class_aware(&rows, per_visit, 24, |_| {}).into_iter().map(f64::from).collect();
            check("first_24", &first);
        }
    }
}

pub(crate) fn schedule(id: &str, p: &Value, out: &Value) {
    let step = |milestones: &[usize], factors: &[f64]| Schedule::Step {
        milestones: milestones.to_vec(),
        factors: factors.to_vec(),
        warm_up: 5,
        warm_up_from: None,
    };
    let epochs = p["epochs"].as_u64().unwrap() as usize;
    let (rate, schedule) = match id {
        // Two groups of parameters: theirs is ten, or five, times the head's.
        "schedule_gcl_classifier_30" => (0.002, Schedule::Cosine),
        "schedule_mislas_stage2_10" => (0.02, Schedule::Cosine),
        "schedule_los_stage2" => (5e-4, Schedule::Cosine),
        "schedule_los_stage1" => (0.01, Schedule::Cosine),
        "schedule_ltwb_stage2" => (0.01, Schedule::CosineBefore),
        "schedule_classifier_balancing_crt" => (0.2, Schedule::CosineBefore),
        "schedule_ldam_200" | "schedule_ride_200" => (0.1, step(&[160, 180], &[0.01, 1e-4])),
        "schedule_area_200" => (0.1, step(&[159, 179], &[0.01, 1e-4])),
        "schedule_gcl_backbone_200" | "schedule_mislas_stage1_200_step" => {
            (0.1, step(&[160, 180], &[0.1, 0.01]))
        }
        "schedule_bbn_200" => {
            let (milestones, factors) = (vec![120, 160], vec![0.01, 1e-4]);
            let warm_up_from = Some(1.0 / 3.0);
            (0.1, Schedule::Step { milestones, factors, warm_up: 5, warm_up_from })
        }
        "schedule_proco_200" => (0.3, step(&[160, 180], &[0.1, 0.01])),
        "schedule_ssd_cos_135" => (0.1, Schedule::Cosine),
        other => panic!("{other} is neither covered nor named as left out"),
    };
    let runs = out["lr_runs"].as_array().unwrap().iter().flat_map(|run| {
        let n = run[1].as_u64().unwrap() as usize;
        std::iter::repeat_n(
            if run[0].is_array() { numbers(&run[0]) } else { vec![run[0].as_f64().unwrap()] },
            n,
        )
    });
    let want: Vec<Vec<f64>> = runs.collect();
    let factors: &[f64] = match id {
        "schedule_gcl_classifier_30" => &[1.0, 10.0],
        "schedule_mislas_stage2_10" => &[1.0, 5.0],
        _ => &[1.0],
    };
    let of_epoch = |e| factors.iter().map(|f| f * rate * schedule.factor(e, epochs)).collect();
    let got: Vec<Vec<f64>> = (0..epochs).map(of_epoch).collect();
    assert!(want.iter().all(|rates| rates.len() == factors.len()), "{id}");
    let (got, want) = (got.concat(), want.concat());
    close(id, &got, &want, TOLERANCE);
}

/// Schedules that change with every step: those of ours with steps for epochs.
pub(crate) fn schedule_by_steps(id: &str, out: &Value) {
    // BALMS counts from 1: its step 0 is never taken.
    let (steps, first, schedule) = match id {
        "schedule_balms_13000_iterations" => {
            (13_000, 1, Schedule::CosineAfterWarmUp { warm_up: 799, warm_up_from: 0.5 })
        }
        "schedule_google_la" => {
            let of_epochs = |epochs: [usize; 3]| epochs.map(|e| 84 * e).to_vec();
            let (milestones, factors) = (of_epochs([691, 1059, 1290]), vec![0.1, 0.01, 0.001]);
            let warm_up_from = Some(0.0);
            (1, 0, Schedule::Step { milestones, factors, warm_up: 84 * 22, warm_up_from })
        }
        other => panic!("{other} is neither covered nor named as left out"),
    };
    for (step, want) in out["lr_at"].as_object().unwrap() {
        let step: usize = step.parse().unwrap();
        let Some(ours) = step.checked_sub(first) else { continue };
        let got = 0.1 * schedule.factor(ours, steps);
        close(&format!("{id} {step}"), &[got], &[want.as_f64().unwrap()], TOLERANCE);
    }
}
