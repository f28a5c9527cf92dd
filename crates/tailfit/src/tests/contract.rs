//! The contract of every loss in the registry.

use crate::class_counts::ClassCounts;
use crate::losses::{
    AnyLoss, BalancedSoftmax, BatchLoss, ClassWeights, Draw, Focal, FocalDetached, GaussianCloud,
    LabelAwareSmoothing, LabelOverSmoothing, Lade, Ldam, Mean, Seesaw, SigmoidFocal,
    SoftmaxEqualisation, VectorScaling,
};
use crate::numbers::Real;
use proptest::prelude::*;

const K: usize = 7;

/// Batches of 1 to 5 samples with logits up to `size`, and class counts.
fn samples(size: f64) -> impl Strategy<Value = (Vec<f64>, Vec<u32>, ClassCounts)> {
    (1..6_usize).prop_flat_map(move |b| {
        (
            prop::collection::vec(-size..size, b * K),
            prop::collection::vec(0..K as u32, b),
            prop::collection::vec(1..600_usize, K).prop_map(|n| ClassCounts::new(n).unwrap()),
        )
    })
}

fn evaluate<R: Real>(objective: &BatchLoss<R>, logits: &[f64], labels: &[u32]) -> (f64, Vec<f64>) {
    let mut z: Vec<R> = logits.iter().map(|&v| R::from_f64(v)).collect();
    let value = objective.value_and_grad(&mut z, labels, Draw::default());
    (value, z.into_iter().map(Real::to_f64).collect())
}

fn plain(loss: AnyLoss, counts: &ClassCounts) -> BatchLoss<f64> {
    BatchLoss::plain(loss, counts)
}

/// The registry with its defaults, and with other hyper-parameters.
fn losses() -> Vec<AnyLoss> {
    let mut losses = AnyLoss::all();
    losses.extend([
        AnyLoss::Focal(Focal { gamma: 0.5 }),
        AnyLoss::Focal(Focal { gamma: 3.0 }),
        AnyLoss::SigmoidFocal(SigmoidFocal { gamma: 2.5 }),
        AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.3 }),
        AnyLoss::VectorScaling(VectorScaling { gamma: 0.0, tau: 1.3 }),
        AnyLoss::Seesaw(Seesaw { p: 0.5, q: 0.0 }),
        AnyLoss::SoftmaxEqualisation(SoftmaxEqualisation { gamma: 0.5, threshold: 0.2 }),
        AnyLoss::GaussianCloud(GaussianCloud { gamma: 0.0, ..Default::default() }),
        AnyLoss::Lade(Lade { alpha: 0.7, lambda: 0.3 }),
    ]);
    losses
}

/// Losses whose steps hold a factor constant, so that they are not their gradients.
fn steps_along_its_gradient(loss: &AnyLoss) -> bool {
    !matches!(
        loss,
        AnyLoss::FocalDetached(FocalDetached { gamma: 1.0.. })
            | AnyLoss::Seesaw(Seesaw { q: 1.0.., .. })
            | AnyLoss::GaussianCloud(GaussianCloud { gamma: 1.0.., .. })
    )
}

/// Losses whose random numbers differ from sample to sample.
fn draws(loss: &AnyLoss) -> bool {
    matches!(loss, AnyLoss::SoftmaxEqualisation(_) | AnyLoss::GaussianCloud(_))
}

proptest! {
    #[test]
    fn the_gradient_is_the_slope((logits, labels, counts) in samples(3.0)) {
        let weights = ClassWeights::EffectiveNumber { beta: 0.999 };
        for loss in losses().into_iter().filter(steps_along_its_gradient) {
            for mean in [Mean::ByBatch, Mean::ByWeight] {
                let objective = BatchLoss::<f64>::new(loss, weights, mean, &counts);
                let (_, grad) = evaluate(&objective, &logits, &labels);
                for i in 0..logits.len() {
                    let at = |step: f64| {
                        let mut moved = logits.clone();
                        moved[i] += step;
                        evaluate(&objective, &moved, &labels).0
                    };
                    let h = 1e-4;
                    // A fourth-order difference: its error is of order h⁴.
                    let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
                    let scale = 1.0 + slope.abs();
                    prop_assert!((grad[i] - slope).abs() < 1e-8 * scale, "{loss:?}: {} against {slope}", grad[i]);
                }
            }
        }
    }

    /// For logits up to 34 apart, beyond which an exponential is 0 in f32.
    #[test]
    fn single_precision_follows_double((logits, labels, counts) in samples(17.0)) {
        for loss in losses() {
            let (value, grad) = evaluate(&plain(loss, &counts), &logits, &labels);
            let (single, single_grad) = evaluate(&BatchLoss::<f32>::plain(loss, &counts), &logits, &labels);
            prop_assert!((value - single).abs() < 2e-5 * (1.0 + value.abs()), "{loss:?}: {single} against {value}");
            for (a, b) in grad.iter().zip(&single_grad) {
                prop_assert!((a - b).abs() < 2e-5, "{loss:?}: {b} against {a}");
            }
        }
    }

    #[test]
    fn equal_counts_carry_no_information((logits, labels, _counts) in samples(3.0)) {
        let weights = ClassWeights::EffectiveNumber { beta: 0.9999 };
        for loss in losses() {
            // LDAM's margin does not vanish at equal counts, but is the same for all classes.
            let value = |n| {
                let counts = ClassCounts::new(vec![n; K]).unwrap();
                evaluate(&BatchLoss::<f64>::new(loss, weights, Mean::ByBatch, &counts), &logits, &labels).0
            };
            prop_assert!((value(1) - value(500)).abs() < 1e-9, "{loss:?}");
        }
    }

    #[test]
    fn a_batch_of_copies_equals_one((logits, labels, counts) in samples(3.0)) {
        for loss in losses().into_iter().filter(|loss| !draws(loss)) {
            let one = evaluate(&plain(loss, &counts), &logits[..K], &labels[..1]);
            let copies = evaluate(&plain(loss, &counts), &logits[..K].repeat(3), &[labels[0]; 3]);
            prop_assert!((one.0 - copies.0).abs() < 1e-12, "{loss:?}");
            for (k, g) in one.1.iter().enumerate() {
                prop_assert!((g / 3.0 - copies.1[k]).abs() < 1e-12, "{loss:?}");
            }
        }
    }

    #[test]
    fn a_common_shift_is_seen_by_the_losses_that_say_so((logits, labels, _) in samples(3.0)) {
        let counts = ClassCounts::new(vec![600, 300, 100, 40, 10, 5, 1]).unwrap();
        for loss in losses() {
            let shifted: Vec<f64> = logits.iter().map(|z| z + 5.0).collect();
            let objective = plain(loss, &counts);
            let (a, grad) = evaluate(&objective, &logits, &labels);
            let (b, _) = evaluate(&objective, &shifted, &labels);
            let sums = grad.chunks(K).map(|row| row.iter().sum::<f64>().abs());
            let largest = sums.fold(0.0, f64::max);
            if loss.sees_common_shift() {
                prop_assert!((a - b).abs() > 1e-6 && largest > 1e-9, "{loss:?}: {a} and {b}");
            } else {
                prop_assert!((a - b).abs() < 1e-9 && largest < 1e-12, "{loss:?}: {a} and {b}");
            }
        }
    }

    #[test]
    fn limits_are_what_their_docs_say((logits, labels, counts) in samples(3.0)) {
        let value = |loss| evaluate(&plain(loss, &counts), &logits, &labels);
        let same = |a: AnyLoss, b: AnyLoss| {
            let ((va, ga), (vb, gb)) = (value(a), value(b));
            let close = ga.iter().zip(&gb).all(|(a, b)| (a - b).abs() < 1e-12);
            (va - vb).abs() < 1e-12 && close
        };
        let ce = AnyLoss::CrossEntropy(crate::losses::CrossEntropy {});
        let bs = |tau| AnyLoss::BalancedSoftmax(BalancedSoftmax { tau });
        let vs = |tau| AnyLoss::VectorScaling(VectorScaling { gamma: 0.0, tau });
        let las = |eps| AnyLoss::LabelAwareSmoothing(LabelAwareSmoothing { head: eps, tail: eps, ..Default::default() });
        let sigmoid = AnyLoss::SigmoidCrossEntropy(crate::losses::SigmoidCrossEntropy {});
        for (special, limit) in [
            (AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.0 }), ce),
            (AnyLoss::Ldam(Ldam { max_margin: 0.0, scale: 30.0 }), ce),
            (AnyLoss::Focal(Focal { gamma: 0.0 }), ce),
            (bs(0.0), ce),
            (vs(0.0), ce),
            (vs(1.3), bs(1.3)),
            (AnyLoss::SigmoidFocal(SigmoidFocal { gamma: 0.0 }), sigmoid),
            (AnyLoss::FocalDetached(FocalDetached { gamma: 0.0 }), ce),
            (AnyLoss::Seesaw(Seesaw { p: 0.0, q: 0.0 }), ce),
            (AnyLoss::SoftmaxEqualisation(SoftmaxEqualisation { gamma: 0.0, threshold: 1.0 }), ce),
            (AnyLoss::SoftmaxEqualisation(SoftmaxEqualisation { gamma: 1.0, threshold: 0.0 }), ce),
            (AnyLoss::GaussianCloud(GaussianCloud { noise: 0.0, margin: 0.0, gamma: 0.0, scale: 9.0 }), ce),
            (AnyLoss::Lade(Lade { alpha: 0.0, lambda: 0.5 }), bs(1.0)),
            (las(0.0), ce),
            (las(0.3), AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.3 })),
        ] {
            prop_assert!(same(special, limit), "{special:?} is not {limit:?}");
        }
        let weighted = BatchLoss::<f64>::new(ce, ClassWeights::EffectiveNumber { beta: 0.0 }, Mean::ByBatch, &counts);
        prop_assert_eq!(evaluate(&weighted, &logits, &labels), value(ce));
    }
}

#[test]
fn toml_gives_back_the_same_loss() {
    for loss in losses() {
        let text = toml::to_string(&loss).unwrap();
        assert_eq!(toml::from_str::<AnyLoss>(&text).unwrap(), loss);
    }
}

#[test]
fn everything_stays_finite_at_the_extremes() {
    let counts = ClassCounts::new(vec![500, 100, 50, 20, 10, 5, 1]).unwrap();
    for loss in losses() {
        for size in [1e3, 1e30] {
            for (top, label) in [(0, 0), (0, 6), (6, 0)] {
                let mut logits = vec![-size; K];
                logits[top] = size;
                let (_, grad) = evaluate(&plain(loss, &counts), &logits, &[label]);
                assert!(grad.iter().all(|g| g.is_finite()), "{loss:?} f64: {grad:?}");
                let single = BatchLoss::<f32>::plain(loss, &counts);
                let (value, grad) = evaluate(&single, &logits, &[label]);
                assert!(value.is_finite() && value >= -1e-3, "{loss:?} f32: {value}");
                assert!(grad.iter().all(|g| g.is_finite()), "{loss:?} f32: {grad:?}");
            }
        }
    }
}

#[test]
fn every_loss_says_what_it_is() {
    for loss in AnyLoss::all() {
        assert!(loss.source().len() > 15 && loss.formula().len() > 8, "{loss:?}");
        loss.check().unwrap();
    }
}
