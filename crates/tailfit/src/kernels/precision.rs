//! The numbers that products are taken in.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Unit, is_intel, units};
use crate::error::{Error, Result};

/// What the products of training are taken in. Weights, momentum, sums, softmax and scoring are
/// single precision always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Single precision: the same bits on every machine that fuses multiply and add.
    #[default]
    F32,
    /// Features, weights and gradients of logits rounded to bf16 (8 bits of mantissa) before
    /// each product. Costs no accuracy that a seed would not, and is several times faster where
    /// the machine has instructions for it.
    Bf16,
}

/// What a user may ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PrecisionChoice {
    /// Exactly this.
    Fixed(Precision),
    /// [`Precision::Bf16`] where it is faster on this machine, else [`Precision::F32`].
    #[default]
    Auto,
}

impl Precision {
    /// The unit that multiplies: none for f32.
    pub(crate) fn unit(self) -> Option<Unit> {
        match self {
            Self::F32 => None,
            Self::Bf16 => units().first().copied(),
        }
    }
}

impl PrecisionChoice {
    /// The precision asked for, or this one if none is.
    pub fn or(self, precision: Precision) -> Precision {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Auto => precision,
        }
    }

    /// What this machine will do.
    ///
    /// # Errors
    ///
    /// If bf16 is asked for and the machine has no instructions for it.
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
