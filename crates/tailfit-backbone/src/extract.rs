//! Extracts features with a trained network and streams them to a file.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use ndarray::{Array1, Array2};
use tailfit::error::{Error, Result};
use tailfit::features::HeadFile;
use tailfit::files::safetensors::Layout;
use tailfit::files::write_atomically_with;
use tailfit::head::Head;
use tailfit::rng::{Purpose, Rng};
use tch::{Device, Kind, Tensor};

use crate::augment::{Augmentation, Look, Preparation};
use crate::batches::batches;
use crate::data::{ImageData, Subset};
use crate::heads::{HeadLayer, LinearMap};
use crate::layers::{NormMode, Pass};
use crate::network::Network;
use crate::script::Script;
use crate::systems::AnySystem;

/// Number type of stored features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredAs {
    /// f16: half the size; its rounding does not change accuracy.
    F16,
    /// f32.
    F32,
}

/// What computes features from images.
#[derive(Clone, Copy, Debug)]
pub enum Extractor<'a> {
    /// One of our networks.
    Network(&'a Network),
    /// A user's own network, always in evaluation mode and in f32.
    Script(&'a Script),
}

impl Extractor<'_> {
    fn device(self) -> Device {
        match self {
            Self::Network(network) => network.parameters().device(),
            Self::Script(script) => script.device,
        }
    }

    fn features(self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        tch::no_grad(|| match self {
            Self::Network(network) => Ok(network.stage_2_features(images, pass)),
            Self::Script(script) => script.features(images),
        })
    }

    /// D; a script has to be run to find out.
    fn dim(self, [height, width]: [usize; 2]) -> Result<usize> {
        match self {
            Self::Network(network) => Ok(network.architecture().dim()),
            Self::Script(script) => {
                let size = [1, 3, height as i64, width as i64];
                let features = tch::no_grad(|| {
                    script.features(&Tensor::zeros(size, (Kind::Float, script.device)))
                })?;
                Ok(features.size()[1] as usize)
            }
        }
    }
}

/// What to extract, and how.
#[derive(Clone, Copy, Debug)]
pub struct Extraction {
    /// How images are prepared; its augmentation is applied to the views.
    pub preparation: Preparation,
    /// Running statistics, or those of batches of about 250 images. For the latter the images are
    /// shuffled, because a split is in the order of its classes.
    pub norm: NormMode,
    /// Whether convolutions run in bf16.
    pub bf16: bool,
    /// Whether to store features of the mirrored images too.
    pub mirror: bool,
    /// Number of augmented views to store too.
    pub views: usize,
    /// Determines the views and the order.
    pub seed: u64,
    /// Number type of the features in the file.
    pub stored: StoredAs,
}

/// Images per batch.
const BATCH: usize = 250;

impl Extraction {
    /// Writes the features and labels of a part atomically, as `compare` and `train-head` read
    /// them; `report` is called with the number of images just done.
    ///
    /// # Errors
    ///
    /// If an image cannot be read, a script fails or is asked for something it cannot do, views are
    /// asked for without an augmentation, or the file cannot be written.
    pub fn write(
        &self,
        source: Extractor<'_>,
        data: &ImageData,
        part: Subset,
        path: &Path,
        provenance: &str,
        report: &dyn Fn(usize),
    ) -> Result<()> {
        if matches!(source, Extractor::Script(_)) && (self.bf16 || self.norm != NormMode::Evaluate)
        {
            let expected = "f32 and running statistics, the only ones supported for TorchScript";
            return Err(Error::usage("extraction", expected, "bf16 or batch statistics", ""));
        }
        if self.views > 0 && self.preparation.augmentation == Augmentation::None {
            let expected = "an augmentation, without which all views are the same";
            return Err(Error::usage("views", expected, "augmentation = \"none\"", ""));
        }
        let (images, rows) = data.subset(part);
        let mut rows = rows.to_vec();
        if self.norm == NormMode::Batch {
            Rng::new(self.seed, Purpose::Order, 0).shuffle(&mut rows);
        }
        // Avoid a batch of one image, which has no statistics.
        let size = if rows.len() % BATCH == 1 { BATCH + 1 } else { BATCH };
        let (n, d) = (rows.len(), source.dim(self.preparation.size(images)?)?);
        let (dtype, bytes_each) =
            if self.stored == StoredAs::F16 { ("F16", 2) } else { ("F32", 4) };
        let mut layout = Layout::new(metadata(data, provenance));
        layout.add("features", dtype, bytes_each, &[n, d]);
        let mut passes: Vec<Option<Look>> = vec![Some(Look::Plain)];
        if self.mirror {
            layout.add("mirror", dtype, bytes_each, &[n, d]);
            passes.push(Some(Look::Mirrored));
        }
        if self.views > 0 {
            layout.add("views", dtype, bytes_each, &[self.views, n, d]);
            passes.extend(vec![None; self.views]);
        }
        layout.add("labels", "U32", 4, &[n]);
        let header = layout.header();
        let pass = Pass { norm: self.norm, bf16: self.bf16 };
        let kind = if self.stored == StoredAs::F16 { Kind::Half } else { Kind::Float };
        // What fails while a file is written, as it was said.
        let mut failed = None;
        let mut fail = |error: Error| {
            let text = error.to_string();
            failed = Some(error);
            std::io::Error::other(text)
        };
        let written = write_atomically_with(path, &mut |out: &mut dyn Write| {
            out.write_all(&header)?;
            for (number, fixed) in passes.iter().copied().enumerate() {
                let (seed, images) = (self.seed, (images, self.preparation));
                let look = |place| fixed.unwrap_or(Look::Augmented { seed, epoch: number, place });
                std::thread::scope(|scope| -> std::io::Result<()> {
                    let batches = batches(scope, images, (rows.clone(), 0), size, look);
                    for batch in batches.map_err(&mut fail)? {
                        let batch = batch.map_err(&mut fail)?;
                        let features = source.features(&batch.images(source.device()), pass);
                        let features = features.map_err(&mut fail)?;
                        out.write_all(&bytes(&features.to_kind(kind)))?;
                        report(batch.labels.len());
                    }
                    Ok(())
                })?;
            }
            for &row in &rows {
                out.write_all(&images.labels[row as usize].to_le_bytes())?;
            }
            Ok(())
        });
        failed.map_or(written, Err)
    }
}

/// The metadata of a file.
fn metadata(data: &ImageData, provenance: &str) -> HashMap<String, String> {
    let mut metadata = HashMap::from([("provenance".to_owned(), provenance.to_owned())]);
    if !data.class_names().is_empty() {
        // Metadata values are strings, so the list is written as JSON.
        let names = serde_json::json!(data.class_names()).to_string();
        metadata.insert("class_names".to_owned(), names);
    }
    metadata
}

/// The bytes of a tensor's numbers, in row-major order.
fn bytes(tensor: &Tensor) -> Vec<u8> {
    let tensor = tensor.to_device(Device::Cpu).contiguous();
    let n = tensor.numel();
    let mut bytes = vec![0; n * tensor.kind().elt_size_in_bytes()];
    tensor.copy_data_u8(&mut bytes, n);
    bytes
}

/// A tensor's numbers, in row-major order.
fn numbers(tensor: &Tensor) -> Vec<f64> {
    let host = tensor.to_device(Device::Cpu).to_kind(Kind::Double).contiguous();
    Vec::try_from(host.view(-1)).expect("numbers in double precision")
}

/// The network's last layer, in the form stage 2 uses; with a system, with what that does to its
/// predictions.
pub fn stage_1_head(network: &Network, system: Option<&AnySystem>, data: &ImageData) -> HeadFile {
    let LinearMap { weight, bias } = tch::no_grad(|| {
        let prediction = system.and_then(|s| s.answers().prediction(network, &data.counts));
        prediction.unwrap_or_else(|| network.head_map())
    });
    let (k, d) = (weight.size()[0] as usize, weight.size()[1] as usize);
    let values = numbers(&weight);
    let weight = Array2::from_shape_fn((k, d), |(class, j)| values[class * d + j]);
    let has_bias = bias.is_some();
    let bias = bias.map_or(Array1::zeros(k), |bias| Array1::from(numbers(&bias)));
    let normalise_features = matches!(network.head_layer(), HeadLayer::Cosine { .. });
    let head = Head { normalise_features, ..Head::linear(weight, bias) };
    let key = network.architecture().head_key().to_owned();
    HeadFile { head, key, has_bias, metadata: HashMap::new() }
}
