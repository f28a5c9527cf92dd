//! Stage 1 of decoupled training: networks trained on long-tailed images as they are, and the
//! features of their last layer but one. The only crate that sees a tensor framework (libtorch).

mod layers;
mod network;
mod parameters;
mod seam;

pub use self::layers::{HeadLayer, NormMode, Pass};
pub use self::network::{ARCHITECTURES, Architecture, Build, Network};
pub use self::parameters::{Init, Parameter, Parameters};
pub use self::seam::host_loss;
