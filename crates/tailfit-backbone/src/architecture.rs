//! The paper's networks as plain data.

use serde::{Deserialize, Serialize};

use crate::parameters::Init;

/// The architecture of a backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// CIFAR ResNet-32: widths 16, 32 and 64, zero-padded shortcuts, 64 features
    /// (`models/resnet_cifar.py` of LDAM-DRW).
    Resnet32,
    /// The same with two last blocks side by side, 2 x 64 features
    /// (`lib/backbone/resnet_cifar.py` of BBN; TDE's network for CIFAR).
    BbnResnet32,
    /// ResNet-34 for 32 x 32 images: 3 x 3 stem without max-pooling, 512 features (LTWB, LOS).
    Resnet34Cifar,
    /// torchvision's ResNet-50, 2,048 features.
    Resnet50,
    /// torchvision's ResNeXt-50 32x4d, 2,048 features.
    Resnext50,
}

/// The dimensions of an architecture.
pub(crate) struct Plan {
    /// Number of blocks in each stage, and the width of their 3 x 3 convolutions.
    pub(crate) stages: &'static [(usize, i64)],
    /// Output channels divided by width; above 1, blocks are bottlenecks.
    pub(crate) expansion: i64,
    pub(crate) groups: i64,
    /// Whether the stem is 7 x 7 with stride 2 and max-pooling, rather than 3 x 3.
    pub(crate) large: bool,
    /// Whether shortcuts pad with zeros, rather than being 1 x 1 convolutions.
    pub(crate) pads: bool,
    /// What the names of the backbone's parameters begin with.
    pub(crate) prefix: &'static str,
    /// Names of the parallel copies of the last block, whose features are concatenated; none if
    /// there is one last block, named like the others.
    pub(crate) branches: &'static [&'static str],
    pub(crate) head: &'static str,
}

impl Architecture {
    pub(crate) fn plan(self) -> Plan {
        let bottleneck = Plan {
            stages: &[(3, 64), (4, 128), (6, 256), (3, 512)],
            expansion: 4,
            groups: 1,
            large: true,
            pads: false,
            prefix: "",
            branches: &[],
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
            Self::BbnResnet32 => Plan {
                prefix: "backbone.",
                branches: &["cb_block", "rb_block"],
                head: "fc",
                ..Self::Resnet32.plan()
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
            Self::Resnet32 | Self::BbnResnet32 => Init::KaimingFanIn,
            Self::Resnet34Cifar => Init::TorchDefault,
            Self::Resnet50 | Self::Resnext50 => Init::KaimingFanOut,
        }
    }

    /// D, the number of features, those of all branches together.
    pub fn dim(self) -> usize {
        let plan = self.plan();
        let one = plan.stages.last().map_or(0, |&(_, width)| (width * plan.expansion) as usize);
        one * self.branches()
    }

    /// Number of branches whose features are concatenated.
    pub fn branches(self) -> usize {
        self.plan().branches.len().max(1)
    }

    /// Prefix of the last layer's parameter names.
    pub fn head_key(self) -> &'static str {
        self.plan().head
    }
}
