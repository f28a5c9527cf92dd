//! Losses with scales and margins.

use super::*;

/// Newton's method ends where the gradient, written out, is rounding alone.
#[test]
fn scales_and_margins_have_a_minimum_whose_gradient_vanishes() {
    let data = data();
    for loss in [
        json!({"name": "vector-scaling", "gamma": 0.4, "tau": 1.0}),
        json!({"name": "ldam", "max_margin": 0.7, "scale": 3.0}),
    ] {
        for (decay_bias, decay) in [(true, 0.1), (false, 0.1), (true, 2e-3), (false, 2e-3)] {
            let recipe = recipe(&[
                ("solver", json!("lbfgs")),
                ("loss", loss.clone()),
                ("weight_decay", json!(decay)),
                ("decay_bias", json!(decay_bias)),
                ("gap", json!(1e-12)),
            ]);
            let head = solve(&data, std::slice::from_ref(&recipe)).remove(0).head;
            let objective = BatchLoss::<f64>::new(
                recipe.cost.loss,
                recipe.cost.class_weights,
                recipe.cost.mean,
                &data.counts,
            );
            let mut z = logits(&data, &head);
            objective.value_and_grad(&mut z, &data.labels, Draw::default());
            let off = Array2::from_shape_vec((data.labels.len(), K), z).unwrap();
            let x = Array2::from_shape_vec((data.labels.len(), D), data.features.clone()).unwrap();
            let grad = off.t().dot(&x) + &head.weight * decay;
            let of_bias = off.sum_axis(Axis(0)) + &head.bias * if decay_bias { decay } else { 0.0 };
            let largest = grad.iter().chain(&of_bias).fold(0.0_f64, |max, g| max.max(g.abs()));
            assert!(largest < 1e-10, "{loss} {decay} {decay_bias}: {largest:.1e}");
            if !decay_bias {
                // Of all shifts of the scaled logits, the one with the smallest bias.
                let scale = recipe.cost.loss.family(&data.counts).unwrap().scale;
                let along: f64 = head.bias.iter().zip(&scale).map(|(b, s)| b / s).sum();
                assert!(along.abs() < 1e-10, "{along}");
            }
        }
    }
}
