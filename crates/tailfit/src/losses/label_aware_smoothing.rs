use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::{Loss, PerClass, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;

/// Label-aware smoothing (LAS): label smoothing that is strongest for the most frequent class.
///
/// ```text
/// r_y = (n_y − n_min) / (n_max − n_min)        ε_y = tail + (head − tail) s(r_y)
/// t = (1 − ε_y) e_y + ε_y / K
/// L(z, y) = −Σₖ tₖ log softmax(z)ₖ        ∂L/∂z = softmax(z) − t
/// ```
///
/// Equal `head` and `tail` give ordinary label smoothing, and `tail` is what equal class counts
/// give. Convex, with a finite minimiser where both are above 0. The authors' code spreads ε over all K
/// classes, as here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LabelAwareSmoothing {
    /// ε of the most frequent class; 0 ≤ head < 1, default 0.4.
    pub head: f64,
    /// ε of the rarest class; 0 ≤ tail < 1, default 0.1.
    pub tail: f64,
    /// s, how ε rises with the class count.
    pub shape: SmoothingShape,
}

/// How [`LabelAwareSmoothing`] rises from the rarest class (r = 0) to the most frequent (r = 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SmoothingShape {
    /// sin(π r / 2), the authors' default.
    #[default]
    Concave,
    /// r.
    Linear,
    /// 1 − cos(π r / 2).
    Convex,
    /// r to this power, above 0.
    Power(f64),
}

impl SmoothingShape {
    fn at(self, r: f64) -> f64 {
        match self {
            Self::Concave => (PI * r / 2.0).sin(),
            Self::Linear => r,
            Self::Convex => 1.0 - (PI * r / 2.0).cos(),
            Self::Power(power) => r.powf(power),
        }
    }
}

impl Default for LabelAwareSmoothing {
    fn default() -> Self {
        Self { head: 0.4, tail: 0.1, shape: SmoothingShape::Concave }
    }
}

impl Loss for LabelAwareSmoothing {
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let counted = counts.weighted();
        let largest = counted.iter().copied().fold(0.0, f64::max);
        let smallest = counted.iter().copied().fold(largest, f64::min);
        let rise =
            |n: f64| if largest > smallest { (n - smallest) / (largest - smallest) } else { 0.0 };
        let smoothing = |&n: &f64| self.tail + (self.head - self.tail) * self.shape.at(rise(n));
        PerClass {
            smoothing: counted.iter().map(smoothing).collect(),
            ..PerClass::neutral(counts.n_classes())
        }
    }

    fn source(&self) -> &'static str {
        "Zhong et al., CVPR 2021, eq. 4 and 5 (MiSLAS)"
    }

    fn formula(&self) -> &'static str {
        "-sum_k t_k log softmax(z)_k, t = (1 - eps_y) e_y + eps_y / K, eps from tail to head"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.head", self.head, 0.0..1.0, "0 <= head < 1")?;
        in_range("loss.tail", self.tail, 0.0..1.0, "0 <= tail < 1")?;
        let power = if let SmoothingShape::Power(power) = self.shape { power } else { 1.0 };
        in_range("loss.shape.power", power, f64::MIN_POSITIVE..=1e3, "0 < power <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_class_is_smoothed_most() {
        let counts = ClassCounts::new(vec![101, 51, 1]).unwrap();
        let shape = SmoothingShape::Linear;
        let smoothing =
            LabelAwareSmoothing { head: 0.4, tail: 0.2, shape }.per_class(&counts).smoothing;
        for (got, want) in smoothing.iter().zip([0.4, 0.3, 0.2]) {
            assert!((got - want).abs() < 1e-15, "{smoothing:?}");
        }
    }
}
