//! A network's parameters by name, in PyTorch's order.

use std::collections::HashMap;
use std::path::Path;

use tailfit::error::{Error, Result};
use tailfit::files::safetensors::Layout;
use tailfit::files::write_atomically;
use tailfit::rng::{Purpose, Rng};
use tch::{Device, Kind, Tensor};

/// How weights are initialised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Convolutions and linear weights from N(0, 2 / fan-in): LDAM-DRW's ResNet-32.
    KaimingFanIn,
    /// Convolutions from N(0, 2 / fan-out): torchvision's ResNets, and LTWB's ResNet-34, whose
    /// first convolution has PyTorch's default.
    KaimingFanOut,
    /// U(±1/√fan-in) everywhere, the default of PyTorch's layers: LOS's ResNet-34.
    TorchDefault,
}

/// One entry of a state dictionary.
#[derive(Debug)]
pub struct Parameter {
    /// Name, as in PyTorch.
    pub name: String,
    /// Values.
    pub tensor: Tensor,
    /// Whether the entry is trained; running statistics are not.
    pub trained: bool,
}

/// All entries of a network's state dictionary, in order.
#[derive(Debug)]
pub struct Parameters {
    pub(crate) list: Vec<Parameter>,
    kind: Kind,
    device: Device,
    seed: u64,
}

impl Parameters {
    pub(crate) fn new(kind: Kind, device: Device, seed: u64) -> Self {
        Self { list: Vec::new(), kind, device, seed }
    }

    /// The number type of the weights, f32 or f64.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The device the tensors are on.
    pub fn device(&self) -> Device {
        self.device
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter()
    }

    /// The trained entries, in order.
    pub fn trained(&self) -> impl Iterator<Item = &Parameter> {
        self.list.iter().filter(|parameter| parameter.trained)
    }

    /// The entry with this name.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub(crate) fn get(&self, name: &str) -> &Tensor {
        let found = self.list.iter().find(|parameter| parameter.name == name);
        &found.expect("a tensor that the network was built with").tensor
    }

    /// Number of trained values.
    pub fn count(&self) -> usize {
        self.trained().map(|parameter| parameter.tensor.numel()).sum()
    }

    /// Adds an entry whose values `next` draws from the entry's own random stream.
    pub(crate) fn add(
        &mut self,
        name: String,
        shape: &[i64],
        mut next: impl FnMut(&mut Rng) -> f64,
    ) -> Tensor {
        let tensor = self.drawn(shape, &mut next).set_requires_grad(true);
        self.push(name, tensor, true)
    }

    /// Adds an entry of standard normal numbers that is not trained.
    pub(crate) fn add_fixed_normal(&mut self, name: String, shape: &[i64]) -> Tensor {
        let tensor = self.drawn(shape, &mut |rng| rng.normal());
        self.push(name, tensor, false)
    }

    fn drawn(&self, shape: &[i64], next: &mut dyn FnMut(&mut Rng) -> f64) -> Tensor {
        let mut rng = Rng::new(self.seed, Purpose::Weights, self.list.len() as u64);
        let n = shape.iter().product::<i64>() as usize;
        let values: Vec<f64> = (0..n).map(|_| next(&mut rng)).collect();
        let tensor = Tensor::from_slice(&values).view(shape);
        let tensor = tensor.to_kind(self.kind).to_device(self.device);
        if shape.len() == 4 { channels_last(&tensor) } else { tensor }
    }

    /// Adds an entry that is not trained.
    pub(crate) fn add_fixed(
        &mut self,
        name: String,
        value: f64,
        shape: &[i64],
        kind: Kind,
    ) -> Tensor {
        let tensor = Tensor::full(shape, value, (kind, self.device));
        self.push(name, tensor, false)
    }

    fn push(&mut self, name: String, tensor: Tensor, trained: bool) -> Tensor {
        let shared = tensor.shallow_clone();
        self.list.push(Parameter { name, tensor, trained });
        shared
    }

    /// Overwrites an entry with `values` in row-major order.
    ///
    /// # Errors
    ///
    /// If the shape differs.
    pub fn set(&self, number: usize, values: &Tensor, place: &str) -> Result<()> {
        let Parameter { name, tensor, .. } = &self.list[number];
        if tensor.size() != values.size() {
            let place = format!("{place}: {name}");
            let expected = format!("shape {:?}, that of the network", tensor.size());
            return Err(Error::data(place, expected, format!("{:?}", values.size()), ""));
        }
        tch::no_grad(|| tensor.shallow_clone().copy_(values));
        Ok(())
    }

    /// Reads all entries by name. Extra entries in the file are ignored; missing entries are an
    /// error, except for batch counts.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or an entry is missing or has another shape.
    pub fn load(&self, path: &Path) -> Result<()> {
        let entries = read_tensors(path)?;
        self.take(&entries, &path.display().to_string())
    }

    /// Copies all entries by name.
    pub(crate) fn take(&self, entries: &HashMap<String, Tensor>, place: &str) -> Result<()> {
        for (number, Parameter { name, .. }) in self.list.iter().enumerate() {
            match entries.get(name) {
                Some(values) => self.set(number, values, place)?,
                None if name.ends_with("num_batches_tracked") => {}
                None => {
                    let found = tailfit::error::nearest(name, entries.keys().map(String::as_str));
                    let remedy = "does the file belong to another network?";
                    let found =
                        if found.is_empty() { "none".to_owned() } else { format!("none; {found}") };
                    return Err(Error::data(place, format!("a tensor `{name}`"), found, remedy));
                }
            }
        }
        Ok(())
    }

    /// Writes all entries under their names, atomically.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path, metadata: HashMap<String, String>) -> Result<()> {
        let entries = self.iter().map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect();
        write_tensors(path, entries, metadata)
    }
}

/// The same tensor, with channels last in memory.
pub(crate) fn channels_last(tensor: &Tensor) -> Tensor {
    tensor.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])
}

/// Reads all tensors of a safetensors file.
pub(crate) fn read_tensors(path: &Path) -> Result<HashMap<String, Tensor>> {
    if !path.exists() {
        // Opened for the error message only: tch's own does not name the file.
        fs_err::File::open(path)?;
    }
    let read = Tensor::read_safetensors(path);
    let entries = read.map_err(|error| {
        let remedy = "the file is cut off or not safetensors; write it again";
        Error::data(path.display(), "a whole safetensors file", error, remedy)
    })?;
    Ok(entries.into_iter().collect())
}

/// Writes tensors in order, atomically.
pub(crate) fn write_tensors(
    path: &Path,
    entries: Vec<(String, Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<()> {
    let (mut layout, mut data) = (Layout::new(metadata), Vec::new());
    for (name, tensor) in entries {
        let start = data.len();
        let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
        let dtype = match tensor.kind() {
            Kind::Float => "F32",
            Kind::Double => "F64",
            Kind::Half => "F16",
            Kind::Int64 => "I64",
            other => {
                let place = format!("{}: {name}", path.display());
                return Err(Error::data(place, "f16, f32, f64 or i64", format!("{other:?}"), ""));
            }
        };
        let size = tensor.kind().elt_size_in_bytes();
        let shape: Vec<usize> = tensor.size().into_iter().map(|n| n as usize).collect();
        layout.add(&name, dtype, size, &shape);
        data.resize(layout.data_len(), 0);
        tensor.copy_data_u8(&mut data[start..], tensor.numel());
    }
    write_atomically(path, &[layout.header(), data].concat())
}
