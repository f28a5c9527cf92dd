//! The last layers.

use tailfit::rng::Rng;
use tch::{Kind, Tensor};

use crate::parameters::{Init, Parameters};

/// The type of the last layer.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadLayer {
    /// logits = x Wᵀ + b, `W [K, D]`.
    Linear,
    /// logits = scale · cosines of x with the columns of `W [D, K]`: LDAM-DRW's `NormedLinear`,
    /// including the scale that its loss applies.
    Cosine {
        /// The scale, above 0, usually 30.
        scale: f64,
    },
    /// logits = scale / H · Σₕ xₕ/‖xₕ‖ · wₕ/(‖wₕ‖ + 1/32) over H equal chunks of the features and of
    /// `W [K, D]` (Tang et al., NeurIPS 2020, eq. 7).
    CausalCosine {
        /// H, the number of chunks; it divides D.
        chunks: usize,
        /// The scale, above 0, usually 16.
        scale: f64,
    },
    /// logits = x Wᵀ + b with W fixed: rows of length 1, every two with cosine −1/(K − 1), the simplex
    /// equiangular tight frame. Needs D ≥ K. Only b is trained (Hasegawa and Sato, EWB-FDR, 2023).
    FixedEtf,
    /// logits = x R (I − 1 1ᵀ/K) with `R [D, K]` trained and its rows orthonormal: the same frame,
    /// free to rotate (RBL). If D ≥ K, R is `[D, D]` and K columns of the D-dimensional frame are taken.
    RotatedEtf,
}

#[derive(Debug)]
pub(crate) enum Head {
    Linear { weight: Tensor, bias: Tensor },
    Cosine { weight: Tensor, scale: f64 },
    CausalCosine { weight: Tensor, chunks: i64, scale: f64 },
    FixedEtf { weight: Tensor, bias: Tensor },
    RotatedEtf { rotation: Tensor, frame: Tensor },
}

/// logits = x Wᵀ + b of what enters it, `W [K, D]` and `b [K]`.
#[derive(Debug)]
pub(crate) struct LinearMap {
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

impl LinearMap {
    pub(crate) fn logits(&self, inputs: &Tensor) -> Tensor {
        inputs.linear(&self.weight, self.bias.as_ref())
    }
}

impl Head {
    pub(crate) fn new(
        p: &mut Parameters,
        name: &str,
        layer: HeadLayer,
        (dim, n_classes): (i64, i64),
        init: Init,
    ) -> Self {
        let bound = 1.0 / (dim as f64).sqrt();
        let bias = |p: &mut Parameters| {
            let name = format!("{name}.bias");
            p.add(name, &[n_classes], |rng| bound * (2.0 * rng.uniform() - 1.0))
        };
        let (weight, shape) = (format!("{name}.weight"), [n_classes, dim]);
        match layer {
            HeadLayer::Linear => {
                let weight = p.add(weight, &shape, |rng| {
                    if init == Init::KaimingFanIn {
                        2.0_f64.sqrt() * bound * rng.normal()
                    } else {
                        bound * (2.0 * rng.uniform() - 1.0)
                    }
                });
                Self::Linear { weight, bias: bias(p) }
            }
            HeadLayer::Cosine { scale } => {
                let weight = p.add(weight, &[dim, n_classes], |rng| 2.0 * rng.uniform() - 1.0);
                overwrite(&weight, &normalised(&weight, 0));
                Self::Cosine { weight, scale }
            }
            HeadLayer::CausalCosine { chunks, scale } => {
                let weight = p.add(weight, &shape, |rng| bound * (2.0 * rng.uniform() - 1.0));
                Self::CausalCosine { weight, chunks: chunks as i64, scale }
            }
            HeadLayer::FixedEtf => {
                let basis = p.add_fixed_normal(weight, &shape);
                let k = n_classes as f64;
                let rows = centring(n_classes, &basis).matmul(&orthonormal_rows(&basis));
                overwrite(&basis, &(rows * (k / (k - 1.0).max(1.0)).sqrt()));
                Self::FixedEtf { weight: basis, bias: bias(p) }
            }
            HeadLayer::RotatedEtf => {
                let side = n_classes.max(dim);
                let rotation = p.add(format!("{name}.rotation"), &[dim, side], Rng::normal);
                overwrite(&rotation, &orthonormal_rows(&rotation));
                let frame = centring(side, &rotation).narrow(1, 0, n_classes);
                Self::RotatedEtf { rotation, frame }
            }
        }
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Linear { weight, bias } => x.linear(weight, Some(bias)),
            Self::Cosine { weight, scale } => {
                normalised(x, 1).matmul(&normalised(weight, 0)) * *scale
            }
            _ => self.map().logits(&self.inputs(x)),
        }
    }

    /// What enters the linear map.
    pub(crate) fn inputs(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Linear { .. } | Self::FixedEtf { .. } | Self::RotatedEtf { .. } => {
                x.shallow_clone()
            }
            Self::Cosine { .. } => normalised(x, 1),
            Self::CausalCosine { chunks, .. } => in_chunks(x, *chunks, |x| normalised(x, 2)),
        }
    }

    pub(crate) fn map(&self) -> LinearMap {
        let plain = |weight: &Tensor, bias: &Tensor| LinearMap {
            weight: weight.shallow_clone(),
            bias: Some(bias.shallow_clone()),
        };
        match self {
            Self::Linear { weight, bias } | Self::FixedEtf { weight, bias } => plain(weight, bias),
            Self::Cosine { weight, scale } => {
                let weight = (normalised(weight, 0) * *scale).transpose(0, 1);
                LinearMap { weight, bias: None }
            }
            Self::CausalCosine { weight, chunks, scale } => {
                let shrunk = |w: &Tensor| w / (norm(w, 2) + 1.0 / 32.0);
                let weight = in_chunks(weight, *chunks, shrunk) * (*scale / *chunks as f64);
                LinearMap { weight, bias: None }
            }
            Self::RotatedEtf { rotation, frame } => {
                LinearMap { weight: rotation.matmul(frame).transpose(0, 1), bias: None }
            }
        }
    }

    /// The parameter whose rows are to be orthonormal after every step.
    pub(crate) fn rotation(&self) -> Option<&Tensor> {
        if let Self::RotatedEtf { rotation, .. } = self { Some(rotation) } else { None }
    }
}

/// Applies `f` to the chunks `[B, H, D / H]` of a matrix `[B, D]`.
pub(crate) fn in_chunks(x: &Tensor, chunks: i64, f: impl Fn(&Tensor) -> Tensor) -> Tensor {
    f(&x.view([x.size()[0], chunks, -1])).view(x.size().as_slice())
}

fn norm(x: &Tensor, dim: i64) -> Tensor {
    x.norm_scalaropt_dim(2, [dim].as_slice(), true)
}

/// Divides by the L2 norm (at least 1e-12) along a dimension.
pub(crate) fn normalised(x: &Tensor, dim: i64) -> Tensor {
    x / norm(x, dim).clamp_min(1e-12)
}

/// I − 1 1ᵀ/n, `[n, n]`, of the kind and on the device of `like`.
fn centring(n: i64, like: &Tensor) -> Tensor {
    Tensor::eye(n, (like.kind(), like.device())) - 1.0 / n as f64
}

/// The matrix with orthonormal rows that is nearest to `x [m, n]`, m ≤ n; for m > n, with orthonormal
/// columns: U Vᵀ of its singular value decomposition.
pub(crate) fn orthonormal_rows(x: &Tensor) -> Tensor {
    let (u, _, v) = x.detach().to_kind(Kind::Double).svd(true, true);
    u.matmul(&v.transpose(0, 1)).to_kind(x.kind())
}

/// Overwrites a parameter's values.
pub(crate) fn overwrite(parameter: &Tensor, values: &Tensor) {
    tch::no_grad(|| parameter.shallow_clone().copy_(values));
}
