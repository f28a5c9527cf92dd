//! The paper's networks as plain data, and their forward pass.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::layers::{Conv, ConvShape, Head, HeadLayer, Norm, Pass};
use crate::parameters::{Init, Parameters};

/// The architecture of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// CIFAR ResNet-32: widths 16, 32 and 64, zero-padded shortcuts, 64 features
    /// (`models/resnet_cifar.py` of LDAM-DRW).
    Resnet32,
    /// ResNet-34 for 32 x 32 images: 3 x 3 stem without max-pooling, 512 features (LTWB, LOS).
    Resnet34Cifar,
    /// torchvision's ResNet-50, 2,048 features.
    Resnet50,
    /// torchvision's ResNeXt-50 32x4d, 2,048 features.
    Resnext50,
}

/// The dimensions of an architecture.
struct Plan {
    /// Number of blocks in each stage, and the width of their 3 x 3 convolutions.
    stages: &'static [(usize, i64)],
    /// Output channels divided by width; above 1, blocks are bottlenecks.
    expansion: i64,
    groups: i64,
    /// Whether the stem is 7 x 7 with stride 2 and max-pooling, rather than 3 x 3.
    large: bool,
    /// Whether shortcuts pad with zeros, rather than being 1 x 1 convolutions.
    pads: bool,
    head: &'static str,
}

impl Architecture {
    fn plan(self) -> Plan {
        let bottleneck = Plan {
            stages: &[(3, 64), (4, 128), (6, 256), (3, 512)],
            expansion: 4,
            groups: 1,
            large: true,
            pads: false,
            head: "fc",
        };
        match self {
            Self::Resnet32 => Plan {
                stages: &[(5, 16), (5, 32), (5, 64)],
                expansion: 1,
                large: false,
                pads: true,
                head: "linear",
                ..bottleneck
            },
            Self::Resnet34Cifar => Plan { expansion: 1, large: false, ..bottleneck },
            Self::Resnet50 => bottleneck,
            Self::Resnext50 => Plan {
                stages: &[(3, 128), (4, 256), (6, 512), (3, 1024)],
                expansion: 2,
                groups: 32,
                ..bottleneck
            },
        }
    }

    /// The initialisation its authors use.
    pub fn default_init(self) -> Init {
        match self {
            Self::Resnet32 => Init::KaimingFanIn,
            Self::Resnet34Cifar => Init::TorchDefault,
            Self::Resnet50 | Self::Resnext50 => Init::KaimingFanOut,
        }
    }

    /// D, the number of features.
    pub fn dim(self) -> usize {
        let plan = self.plan();
        plan.stages.last().map_or(0, |&(_, width)| (width * plan.expansion) as usize)
    }

    /// Prefix of the last layer's parameter names.
    pub fn head_key(self) -> &'static str {
        self.plan().head
    }
}

/// A network: backbone and head.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    parameters: Parameters,
    stem: (Conv, Norm),
    blocks: Vec<Block>,
    head: Head,
}

#[derive(Debug)]
struct Block {
    layers: Vec<(Conv, Norm)>,
    shortcut: Shortcut,
}

#[derive(Debug)]
enum Shortcut {
    Identity,
    /// Every second pixel, with this many channels of zeros on either side.
    Pad(i64),
    Conv(Conv, Norm),
}

/// What a network is built with.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The architecture.
    pub architecture: Architecture,
    /// How weights are initialised.
    pub init: Init,
    /// The type of the last layer.
    pub head: HeadLayer,
    /// K, the number of classes.
    pub n_classes: usize,
    /// Determines the initial weights, whatever the device.
    pub seed: u64,
    /// Number type of the weights: f32, or f64 for checks.
    pub kind: Kind,
    /// The device to build it on, CPU or GPU.
    pub device: Device,
}

impl Network {
    /// Builds a network.
    pub fn new(build: Build) -> Self {
        let Build { architecture, init, head, n_classes, seed, kind, device } = build;
        let plan = architecture.plan();
        let mut p = Parameters::new(kind, device, seed);
        let width = if plan.large { 64 } else { plan.stages[0].1 };
        let (kernel, stride) = if plan.large { (7, 2) } else { (3, 1) };
        let stem = ConvShape { inputs: 3, outputs: width, kernel, stride, groups: 1 };
        // LTWB replaces the first convolution of torchvision's ResNet-34 with a fresh one.
        let first = if plan.large { init } else { init.of_fresh_stem() };
        let stem = (Conv::new(&mut p, "conv1", stem, first), Norm::new(&mut p, "bn1", width));
        let mut blocks = Vec::new();
        let mut inputs = width;
        for (stage, &(n, width)) in plan.stages.iter().enumerate() {
            for number in 0..n {
                let stride = if number == 0 && stage > 0 { 2 } else { 1 };
                let name = format!("layer{}.{number}", stage + 1);
                blocks.push(Block::new(&mut p, &name, &plan, (inputs, width, stride), init));
                inputs = width * plan.expansion;
            }
        }
        let head = Head::new(&mut p, plan.head, head, (inputs, n_classes as i64), init);
        Self { architecture, parameters: p, stem, blocks, head }
    }

    /// The network's architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The network's state dictionary.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Features `[B, D]` of images `[B, 3, height, width]`.
    pub fn features(&self, images: &Tensor, pass: Pass) -> Tensor {
        let mut x = self.stem.1.forward(&self.stem.0.forward(images, pass), pass).relu_();
        if self.architecture.plan().large {
            x = x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        }
        for block in &self.blocks {
            x = block.forward(&x, pass);
        }
        x.mean_dim([2_i64, 3].as_slice(), false, self.parameters.kind())
    }

    /// Whether the last layer is a plain linear layer.
    pub fn head_is_linear(&self) -> bool {
        matches!(self.head, Head::Linear { .. })
    }

    /// Logits `[B, K]` of features `[B, D]`.
    pub fn logits(&self, features: &Tensor) -> Tensor {
        self.head.forward(features)
    }
}

impl Init {
    fn of_fresh_stem(self) -> Self {
        if self == Self::KaimingFanOut { Self::TorchDefault } else { self }
    }
}

impl Block {
    fn new(
        p: &mut Parameters,
        name: &str,
        plan: &Plan,
        (inputs, width, stride): (i64, i64, i64),
        init: Init,
    ) -> Self {
        let outputs = width * plan.expansion;
        let shape = |inputs, outputs, kernel, stride, groups| ConvShape {
            inputs,
            outputs,
            kernel,
            stride,
            groups,
        };
        let shapes = if plan.expansion > 1 {
            vec![
                shape(inputs, width, 1, 1, 1),
                shape(width, width, 3, stride, plan.groups),
                shape(width, outputs, 1, 1, 1),
            ]
        } else {
            vec![shape(inputs, width, 3, stride, 1), shape(width, width, 3, 1, 1)]
        };
        let mut layers = Vec::new();
        for (number, shape) in shapes.into_iter().enumerate() {
            let conv = Conv::new(p, &format!("{name}.conv{}", number + 1), shape, init);
            layers.push((conv, Norm::new(p, &format!("{name}.bn{}", number + 1), shape.outputs)));
        }
        let shortcut = if stride == 1 && inputs == outputs {
            Shortcut::Identity
        } else if plan.pads {
            Shortcut::Pad((outputs - inputs) / 2)
        } else {
            let shape = shape(inputs, outputs, 1, stride, 1);
            let conv = Conv::new(p, &format!("{name}.downsample.0"), shape, init);
            Shortcut::Conv(conv, Norm::new(p, &format!("{name}.downsample.1"), outputs))
        };
        Self { layers, shortcut }
    }

    fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let mut y = x.shallow_clone();
        for (number, (conv, norm)) in self.layers.iter().enumerate() {
            y = norm.forward(&conv.forward(&y, pass), pass);
            if number + 1 < self.layers.len() {
                y = y.relu_();
            }
        }
        let shortcut = match &self.shortcut {
            Shortcut::Identity => x.shallow_clone(),
            Shortcut::Pad(n) => {
                let every_second = x.slice(2, None, None, 2).slice(3, None, None, 2);
                every_second.constant_pad_nd([0, 0, 0, 0, *n, *n])
            }
            Shortcut::Conv(conv, norm) => norm.forward(&conv.forward(x, pass), pass),
        };
        let _ = y.g_add_(&shortcut);
        y.relu_()
    }
}
