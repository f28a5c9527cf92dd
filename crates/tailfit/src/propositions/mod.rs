//! What Sun et al. (ICLR 2025) prove or argue, checked by numbers: Propositions 1 to 3 and Appendix C.

mod approximation;
mod convexity;
mod perturbation;
mod shift;

pub use self::approximation::{Approximation, approximation};
pub use self::convexity::{Curvature, convexity};
pub use self::perturbation::{Ratios, perturbation};
pub use self::shift::{Shifted, common_shift};
