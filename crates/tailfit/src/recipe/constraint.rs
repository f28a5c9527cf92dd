//! A bound on the norm of each class's weights.

use serde::{Deserialize, Serialize};

/// MaxNorm: wₖ ← wₖ min(1, r / ‖wₖ‖). The bias is never projected, and projecting does not
/// reset the velocity.
///
/// Unless given, the radius is r = min‖w‖ + threshold (max‖w‖ − min‖w‖) over the rows of the
/// **stage-1** head.
///
/// Source: Alshammari et al., CVPR 2022, eq. 5. Their text projects after each step, their
/// code after each epoch; the results differ, so both are available.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxNorm {
    /// Fraction of the way from the smallest to the largest norm, 0..=1, default 0.1.
    pub threshold: f64,
    /// The radius itself, instead of `threshold`; above 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius: Option<f64>,
    /// How often to project.
    pub every: Every,
}

/// How often a constraint is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Every {
    /// After each optimiser step.
    Step,
    /// After each epoch, as in LTWB's code.
    #[default]
    Epoch,
}

impl Default for MaxNorm {
    fn default() -> Self {
        Self { threshold: 0.1, radius: None, every: Every::default() }
    }
}

impl MaxNorm {
    /// The radius r, given the row norms of the stage-1 head, `[K]`.
    pub fn radius(&self, stage_1_norms: &[f64]) -> f64 {
        self.radius.unwrap_or_else(|| {
            let min = stage_1_norms.iter().copied().fold(f64::INFINITY, f64::min);
            let max = stage_1_norms.iter().copied().fold(0.0, f64::max);
            min + self.threshold * (max - min)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_radius_lies_between_the_norms() {
        let radius = |threshold| MaxNorm { threshold, ..MaxNorm::default() }.radius(&[3.0, 1.0]);
        assert_eq!([radius(0.0), radius(0.5), radius(1.0)], [1.0, 2.0, 3.0]);
        assert_eq!(MaxNorm { radius: Some(0.7), ..MaxNorm::default() }.radius(&[3.0]), 0.7);
    }
}
