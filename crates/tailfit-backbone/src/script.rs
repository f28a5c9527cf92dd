//! A user's own network, in TorchScript.

use std::path::Path;

use tailfit::error::{Error, Result};
use tch::{CModule, Device, Kind, Tensor};

use crate::augment::Preparation;
use crate::checkpoint::named;
use crate::data::{ImageData, Subset};
use crate::torch_errors::{out_of_memory, reason};

/// A network that turns images `[B, 3, height, width]` into features `[B, D]`, saved by
/// `torch.jit.trace(network, images).save(path)` or with `torch.jit.script`.
#[derive(Debug)]
pub struct Script {
    module: CModule,
    place: String,
    pub(crate) device: Device,
}

impl Script {
    /// Reads a network; batch normalisation and dropout are put in evaluation mode.
    ///
    /// # Errors
    ///
    /// If the file is missing or not TorchScript.
    pub fn load(path: &Path, device: Device) -> Result<Self> {
        let place = path.display().to_string();
        if !path.is_file() {
            return Err(Error::data(place, "a network in TorchScript", "no such file", ""));
        }
        let mut module = CModule::load_on_device(path, device).map_err(|error| {
            let remedy =
                "save it with `torch.jit.trace(network, images).save(path)`, not with `torch.save`";
            Error::data(&place, "a network in TorchScript", reason(&error.to_string()), remedy)
        })?;
        module.set_eval();
        Ok(Self { module, place, device })
    }

    /// Describes the network's features of these images, in words.
    pub fn provenance(&self, data: &ImageData, preparation: Preparation) -> String {
        let sha256 = data.train_sha256();
        let split = sha256.get(..12).unwrap_or_default();
        let n = data.len(Subset::Train);
        let Preparation { augmentation, side, mean, std } = preparation;
        let size = side.map_or(String::new(), |side| format!(", resized to {side} pixels"));
        let augmentation = named(&augmentation);
        let list = |values: [f32; 3]| values.map(|value| value.to_string()).join(", ");
        format!(
            "Features of {n} training images (sha256 {split}) from the network in {}; images prepared for {augmentation} \
             augmentation{size}, with mean {} and standard deviation {}.",
            self.place,
            list(mean),
            list(std),
        )
    }

    /// Features `[B, D]` of images `[B, 3, height, width]`.
    ///
    /// # Errors
    ///
    /// If the network fails, or its output has another shape.
    pub fn features(&self, images: &Tensor) -> Result<Tensor> {
        let expected = "features [B, D] of images [B, 3, height, width]";
        let remedy = "cut the network off before its last layer, and flatten the output";
        // Contiguous, as PyTorch delivers images: not every network accepts channels last.
        let features = self.module.forward_ts(&[images.contiguous()]).map_err(|error| {
            let (message, remedy) = (error.to_string(), "is image_size the network's?");
            let other = || Error::data(&self.place, expected, reason(&message), remedy);
            out_of_memory(&message).unwrap_or_else(|| other().answered_by("config"))
        })?;
        let shape = features.size();
        if shape.len() != 2 || shape[0] != images.size()[0] || shape[1] == 0 {
            return Err(Error::data(&self.place, expected, format!("{shape:?}"), remedy));
        }
        Ok(features.to_kind(Kind::Float))
    }
}
