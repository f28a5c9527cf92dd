//! The number format of the matrix products.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Unit, is_intel, units};
use crate::error::{Error, Result};

/// Number format of the matrix products in training. Weights, velocity, sums, softmax and scoring
/// are always in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision: bit-identical on every machine with fused multiply-add.
    #[default]
    F32,
    /// Features, weights and gradients of logits are rounded to bf16 (8 bits of mantissa) before
    /// each product. Accuracy changes by no more than with another seed, and training is several
    /// times faster where the machine has instructions for it.
    Bf16,
}

/// The precision a user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// Exactly this precision.
    Fixed(Precision),
    /// [`Precision::Bf16`] if it is faster on this machine, else [`Precision::F32`].
    #[default]
    Auto,
}

impl Precision {
    /// The unit that multiplies; none for f32.
    pub(crate) fn unit(self) -> Option<Unit> {
        match self {
            Self::F32 => None,
            Self::Bf16 => units().first().copied(),
        }
    }
}

impl PrecisionChoice {
    /// The precision asked for, or `precision` for [`PrecisionChoice::Auto`].
    pub fn or(self, precision: Precision) -> Precision {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Auto => precision,
        }
    }

    /// The precision this machine will use.
    ///
    /// # Errors
    ///
    /// If bf16 is requested and the machine has no instructions for it.
    pub fn resolve(self) -> Result<Precision> {
        match (self, units().first()) {
            (Self::Fixed(Precision::Bf16), None) => Err(Error::usage(
                "precision",
                "`f32` or `auto`",
                "`bf16`",
                "this machine has neither AMX-BF16 nor AVX-512 BF16",
            )),
            (Self::Fixed(precision), _) => Ok(precision),
            // Intel's dot products of bf16 run at half the speed of f32.
            (Self::Auto, Some(Unit::Tiles)) => Ok(Precision::Bf16),
            (Self::Auto, Some(Unit::Dots)) if !is_intel() => Ok(Precision::Bf16),
            (Self::Auto, _) => Ok(Precision::F32),
        }
    }
}

impl FromStr for PrecisionChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::Fixed(Precision::F32)),
            "bf16" => Ok(Self::Fixed(Precision::Bf16)),
            "auto" => Ok(Self::Auto),
            other => Err(Error::usage("precision", "`f32`, `bf16` or `auto`", other, "")),
        }
    }
}
