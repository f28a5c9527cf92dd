use serde::{Deserialize, Serialize};

use super::{Draw, Loss, PerClass, focal_detached, in_range};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::numbers::Real;

/// Gaussian clouded logit adjustment (GCL): logits are lowered by half-normal noise, most for rare
/// classes.
///
/// ```text
/// Mₖ = log n_max − log nₖ        ε ~ N(0, 1/9) clamped to [−1, 1], for each sample and class
/// z′ₖ = zₖ − s ν |εₖ| Mₖ / max M − s m [k = y]
/// L = FocalDetached at γ of z′
/// ```
///
/// It wants a cosine head of scale s, in whose logits s is contained. ν = m = γ = 0 is cross-entropy. The
/// defaults are the authors' second stage, which also mixes images; that is not done here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianCloud {
    /// ν, size of the clouds; at least 0, default 0.5.
    pub noise: f64,
    /// m, margin of the label; at least 0, default 0.1.
    pub margin: f64,
    /// γ of the focal factor, which is held constant in the gradient; at least 0, default 1.
    pub gamma: f64,
    /// s, the scale of the head; above 0, default 20.
    pub scale: f64,
}

impl Default for GaussianCloud {
    fn default() -> Self {
        Self { noise: 0.5, margin: 0.1, gamma: 1.0, scale: 20.0 }
    }
}

impl GaussianCloud {
    /// The loss of one sample, given ε of each class before it is clamped.
    #[inline(always)]
    pub(crate) fn clouded<R: Real>(
        &self,
        c: &PerClass<R>,
        z: &mut [R],
        y: usize,
        factor: R,
        mut epsilon: impl FnMut() -> f64,
    ) -> R {
        for (v, cloud) in z.iter_mut().zip(&c.offset) {
            *v = *v - R::from_f64(epsilon().abs().min(1.0)) * *cloud;
        }
        z[y] = z[y] - c.margin[y];
        focal_detached::row(self.gamma, z, y, factor)
    }
}

impl Loss for GaussianCloud {
    const SOFTMAX_FAMILY: bool = false;

    /// `offset` holds s ν Mₖ / max M.
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        let counted = counts.weighted();
        let largest = counted.iter().copied().fold(0.0, f64::max);
        let rarity: Vec<f64> = counted.into_iter().map(|n| (largest / n).ln()).collect();
        let most = rarity.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let size = self.scale * self.noise;
        PerClass {
            offset: rarity.into_iter().map(|m| size * m / most).collect(),
            margin: vec![self.scale * self.margin; counts.n_classes()],
            ..PerClass::neutral(counts.n_classes())
        }
    }

    #[inline(always)]
    fn row<R: Real>(&self, c: &PerClass<R>, z: &mut [R], y: usize, factor: R, draw: Draw) -> R {
        let mut rng = draw.rng();
        self.clouded(c, z, y, factor, || rng.normal() / 3.0)
    }

    fn has_no_minimum(&self) -> Option<&'static str> {
        Some("it draws noise for every sample")
    }

    fn source(&self) -> &'static str {
        "Li et al., CVPR 2022, eq. 9 and 10; constants and the focal factor are their code's"
    }

    fn formula(&self) -> &'static str {
        "detached focal loss of z - s nu |eps| M / max M - s m e_y, M_k = log(n_max / n_k), eps ~ N(0, 1/9)"
    }

    fn check(&self) -> Result<()> {
        in_range("loss.noise", self.noise, 0.0..=1e3, "0 <= noise <= 1000")?;
        in_range("loss.margin", self.margin, 0.0..=1e3, "0 <= margin <= 1000")?;
        in_range("loss.gamma", self.gamma, 0.0..=1e2, "0 <= gamma <= 100")?;
        in_range("loss.scale", self.scale, f64::MIN_POSITIVE..=1e3, "0 < scale <= 1000")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rarest class has the whole cloud s ν, the most frequent none.
    #[test]
    fn clouds_grow_with_rarity() {
        let counts = ClassCounts::new(vec![100, 10, 1]).unwrap();
        let constants =
            GaussianCloud { noise: 0.5, scale: 20.0, ..Default::default() }.per_class(&counts);
        assert_eq!(constants.offset[0], 0.0);
        assert!(
            (constants.offset[1] - 5.0).abs() < 1e-12 && (constants.offset[2] - 10.0).abs() < 1e-12
        );
        assert_eq!(constants.margin, [2.0; 3]);
    }
}
