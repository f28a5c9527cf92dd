//! Stage 1 of decoupled training: trains networks on long-tailed images as they are, and extracts
//! the features that enter their last layer. The only crate that uses a tensor framework
//! (libtorch).
//!
//! | To | See |
//! |:--|:--|
//! | build a network | [`Network`], [`Architecture`] |
//! | describe how it is trained | [`BackboneRecipe`] |
//! | do what a published system does otherwise | [`systems`] |
//! | train it, interrupt and resume | [`Run`] |
//! | extract its features | [`Extraction`] |
//! | re-train its head on images | [`Live`] |

mod architecture;
mod augment;
mod batches;
mod check;
mod checkpoint;
mod cutout;
mod data;
mod decode;
mod device;
mod events;
mod extract;
mod geometry;
#[cfg(test)]
mod golden;
mod heads;
mod jitter;
mod layers;
mod live;
mod network;
mod operations;
mod optimiser;
mod parameters;
mod passes;
#[cfg(test)]
mod pillow;
mod policy;
mod recipe;
mod run_files;
mod score;
mod script;
mod seam;
mod streams;
pub mod systems;
mod torch_errors;
mod train;
mod warp;

pub use self::architecture::Architecture;
pub use self::augment::{Augmentation, Preparation};
pub use self::checkpoint::{Epoch, State};
pub use self::data::{ImageData, Subset};
pub use self::device::{device, set_threads};
pub use self::extract::{Extraction, Extractor, StoredAs, stage_1_head};
pub use self::heads::HeadLayer;
pub use self::layers::{NormMode, Pass};
pub use self::live::{Live, LiveEpoch};
pub use self::network::{Build, Network};
pub use self::parameters::{Init, Parameter, Parameters};
pub use self::recipe::BackboneRecipe;
pub use self::run_files::{BEST, CHECKPOINT, EVENTS, LAST, LOG};
pub use self::script::Script;
pub use self::seam::host_loss;
pub use self::torch_errors::caught;
pub use self::train::{End, Event, Run, best};
