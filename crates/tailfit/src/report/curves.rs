//! Curves as CSV.

use std::fmt::Write as _;

use crate::compare::Curve;

/// Every epoch of every trial as CSV: number of the trial and seed, epoch, mean training loss, accuracies in percent, and,
/// in the first line of a curve, the recipe in JSON.
pub fn curves_csv(curves: &[Curve]) -> String {
    let mut out =
        "trial,seed,epoch,train_loss,overall_percent,macro_percent,many_percent,medium_percent,\
                   few_percent,recipe\n"
            .to_owned();
    for curve in curves {
        let recipe = serde_json::to_string(&curve.recipe).unwrap_or_default().replace('"', "\"\"");
        for (epoch, accuracy) in curve.accuracy.iter().enumerate() {
            let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.4}"));
            let loss = epoch.checked_sub(1).map(|e| curve.train_loss[e]);
            // The recipe stands once per curve, in its first line.
            let recipe = if epoch == 0 { format!("\"{recipe}\"") } else { String::new() };
            let _ = writeln!(
                out,
                "{},{},{epoch},{},{:.4},{:.4},{},{},{},{recipe}",
                curve.trial,
                curve.seed,
                loss.map_or(String::new(), |loss| format!("{loss:.6}")),
                accuracy.overall_percent,
                accuracy.macro_percent,
                number(accuracy.many_percent),
                number(accuracy.medium_percent),
                number(accuracy.few_percent),
            );
        }
    }
    out
}
