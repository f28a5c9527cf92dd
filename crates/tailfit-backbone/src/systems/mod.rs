//! Systems: what their authors do otherwise than plain training of one network on one loss.
//!
//! The training loop asks a system five questions, at five places. A system is one file that answers
//! those it has an answer to, and two lines here: its module, and its name in the list.

mod area;
mod bbn;
mod ewb_fdr;
mod look;
mod rbl;
mod step;
mod tde;

use serde::{Deserialize, Serialize};
use tailfit::class_counts::ClassCounts;
use tailfit::error::{Error, Result};
use tch::Tensor;

pub(crate) use self::step::{EpochStart, Seen, Step, Stream};
use crate::heads::LinearMap;
use crate::network::Network;
use crate::recipe::BackboneRecipe;

/// The five questions. The defaults are the answers of plain training.
pub(crate) trait System {
    /// Checks the system's own numbers, and that the recipe has what it needs.
    fn check(&self, _recipe: &BackboneRecipe) -> Result<()> {
        Ok(())
    }

    /// What does a step see beside the recipe's own stream of images?
    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }

    /// What has it beside the network? Names, first values and shapes of tensors that are saved with
    /// it; `dim` features, `n_classes` classes.
    fn tensors(&self, _dim: i64, _n_classes: i64) -> Vec<(&'static str, f64, Vec<i64>)> {
        Vec::new()
    }

    /// What does a step cost?
    fn cost(&self, step: &Step<'_>) -> Tensor {
        step.loss(&step.network.logits(&step.features(0)), 0)
    }

    /// What happens before an epoch?
    fn before_epoch(&self, _epoch: &EpochStart<'_>) -> Result<()> {
        Ok(())
    }

    /// What happens after a step?
    fn after_step(&self, _network: &Network) {}

    /// What does it predict? The linear map in place of that which the head has learned, from which
    /// stage 2 starts in any case; none if it is the same.
    fn prediction(&self, _network: &Network, _counts: &ClassCounts) -> Option<LinearMap> {
        None
    }

    /// The same system with another strength of what it does to its prediction; none if it does
    /// nothing.
    fn with_strength(&self, _strength: f64) -> Option<AnySystem> {
        None
    }
}

/// Plain training.
pub(crate) struct Plain;

impl System for Plain {}

/// Turns the list of systems into one serialisable enum, `{ name = "…", … }` in TOML.
macro_rules! systems {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(pub use self::$module::$name;)*

        /// A system by name, with its settings.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum AnySystem {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl AnySystem {
            /// Whether it does something to its head's predictions.
            pub fn predicts(&self) -> bool {
                self.answers().with_strength(0.0).is_some()
            }

            pub(crate) fn answers(&self) -> &dyn System {
                match self { $(Self::$name(system) => system,)* }
            }
        }
    };
}

impl std::fmt::Display for AnySystem {
    /// Its name, with its settings in brackets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let value = serde_json::to_value(self).unwrap_or_default();
        let name = value["name"].as_str().unwrap_or_default();
        let settings = value.as_object().into_iter().flatten().filter(|(key, _)| *key != "name");
        let settings: Vec<String> = settings.map(|(key, value)| format!("{key} {value}")).collect();
        if settings.is_empty() {
            f.write_str(name)
        } else {
            write!(f, "{name} ({})", settings.join(", "))
        }
    }
}

systems!(area::Area, bbn::Bbn, ewb_fdr::EwbFdr, rbl::Rbl, tde::Tde);

/// An error about a key that a system needs to be otherwise.
fn needs(key: &str, expected: &str, found: impl std::fmt::Display) -> Error {
    Error::usage(key, expected, found, "the system's own recipe in configs/stage-1 has it")
}

/// Checks that a setting is a finite number from 0 on.
fn not_negative(key: &str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        return Ok(());
    }
    Err(Error::usage(key, "a number from 0 on", value, ""))
}

/// Logarithms of the classes' frequencies, `[K]`.
fn log_prior(counts: &ClassCounts, like: &Tensor) -> Tensor {
    let logs: Vec<f64> = counts.frequencies().iter().map(|p| p.ln()).collect();
    Tensor::from_slice(&logs).to_kind(like.kind()).to_device(like.device())
}
