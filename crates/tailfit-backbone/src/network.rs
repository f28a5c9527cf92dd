//! Networks and their forward pass.

use tch::{Device, Kind, Tensor};

use crate::architecture::{Architecture, Plan};
use crate::heads::{Head, HeadLayer, LinearMap};
use crate::layers::{Conv, ConvShape, Norm, Pass};
use crate::parameters::{Init, Parameters};

/// A network: backbone and head.
#[derive(Debug)]
pub struct Network {
    architecture: Architecture,
    head_layer: HeadLayer,
    parameters: Parameters,
    stem: (Conv, Norm),
    /// The blocks that all branches share.
    blocks: Vec<Block>,
    /// The last blocks side by side; none if there is one branch.
    branches: Vec<Block>,
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
        let [conv, norm] = ["conv1", "bn1"].map(|name| format!("{}{name}", plan.prefix));
        let stem = (Conv::new(&mut p, &conv, stem, first), Norm::new(&mut p, &norm, width));
        let (mut blocks, mut branches) = (Vec::new(), Vec::new());
        let mut inputs = width;
        for (stage, &(n, width)) in plan.stages.iter().enumerate() {
            for number in 0..n {
                let stride = if number == 0 && stage > 0 { 2 } else { 1 };
                let shape = (inputs, width, stride);
                if (stage + 1, number + 1) == (plan.stages.len(), n) && !plan.branches.is_empty() {
                    let branch = |name: &&str| Block::new(&mut p, name, &plan, shape, init);
                    branches.extend(plan.branches.iter().map(branch));
                } else {
                    let name = format!("layer{}.{number}", stage + 1);
                    blocks.push(Block::new(&mut p, &name, &plan, shape, init));
                }
                inputs = width * plan.expansion;
            }
        }
        let shape = (architecture.dim() as i64, n_classes as i64);
        let layer = Head::new(&mut p, plan.head, head, shape, init);
        let (head_layer, head) = (head, layer);
        Self { architecture, head_layer, parameters: p, stem, blocks, branches, head }
    }

    /// The network's architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The network's state dictionary.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Adds a tensor that is saved with the network and neither trained nor part of its forward
    /// pass.
    pub(crate) fn keep(&mut self, name: &str, value: f64, shape: &[i64]) {
        let kind = self.parameters.kind();
        let _ = self.parameters.add_fixed(name.to_owned(), value, shape, kind);
    }

    /// Features `[B, D]` of images `[B, 3, height, width]`; those of branches side by side.
    pub fn features(&self, images: &Tensor, pass: Pass) -> Tensor {
        let x = self.shared(images, pass);
        if self.branches.is_empty() {
            return self.pooled(&x);
        }
        let branch = |branch: &Block| self.pooled(&branch.forward(&x, pass));
        Tensor::cat(&self.branches.iter().map(branch).collect::<Vec<_>>(), 1)
    }

    /// Features of one branch alone, `[B, D / branches]`.
    pub(crate) fn branch_features(&self, images: &Tensor, branch: usize, pass: Pass) -> Tensor {
        self.pooled(&self.branches[branch].forward(&self.shared(images, pass), pass))
    }

    /// What enters the last blocks, or what leaves them if there is one branch.
    fn shared(&self, images: &Tensor, pass: Pass) -> Tensor {
        let mut x = self.stem.1.forward(&self.stem.0.forward(images, pass), pass).relu_();
        if self.architecture.plan().large {
            x = x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false);
        }
        for block in &self.blocks {
            x = block.forward(&x, pass);
        }
        x
    }

    fn pooled(&self, x: &Tensor) -> Tensor {
        x.mean_dim([2_i64, 3].as_slice(), false, self.parameters.kind())
    }

    /// Features as stage 2 takes them, `[B, D]`: its heads are linear in them, or normalise them
    /// as a whole.
    pub(crate) fn stage_2_features(&self, images: &Tensor, pass: Pass) -> Tensor {
        let features = self.features(images, pass);
        match self.head_layer {
            HeadLayer::CausalCosine { .. } => self.head_inputs(&features),
            _ => features,
        }
    }

    /// The type of the last layer.
    pub fn head_layer(&self) -> HeadLayer {
        self.head_layer
    }

    /// Logits `[B, K]` of features `[B, D]`.
    pub fn logits(&self, features: &Tensor) -> Tensor {
        self.head.forward(features)
    }

    /// What enters the linear map that the head is, `[B, D]`: the features, but for cosine heads
    /// normalised.
    pub(crate) fn head_inputs(&self, features: &Tensor) -> Tensor {
        self.head.inputs(features)
    }

    /// That linear map.
    pub(crate) fn head_map(&self) -> LinearMap {
        self.head.map()
    }

    /// The parameter whose rows are to be orthonormal after every step, if there is one.
    pub(crate) fn rotation(&self) -> Option<&Tensor> {
        self.head.rotation()
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
        let name = &format!("{}{name}", plan.prefix);
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
