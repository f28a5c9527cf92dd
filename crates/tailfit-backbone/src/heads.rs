//! The last layers.

use tailfit::rng::Rng;
use tch::{Device, Kind, Tensor};

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
    RotatedEtf { rotation: Tensor, n_classes: i64 },
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
                let rows = nearest_orthonormal(&basis);
                let centred = &rows - mean(&rows, 0);
                overwrite(&basis, &(centred * (k / (k - 1.0).max(1.0)).sqrt()));
                Self::FixedEtf { weight: basis, bias: bias(p) }
            }
            HeadLayer::RotatedEtf => {
                let side = n_classes.max(dim);
                let rotation = p.add(format!("{name}.rotation"), &[dim, side], Rng::normal);
                overwrite(&rotation, &nearest_orthonormal(&rotation));
                Self::RotatedEtf { rotation, n_classes }
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
            Self::RotatedEtf { rotation, n_classes } => {
                // R (I − 1 1ᵀ/n), its first K columns.
                let weight = rotation.narrow(1, 0, *n_classes) - mean(rotation, 1);
                LinearMap { weight: weight.transpose(0, 1), bias: None }
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

fn mean(x: &Tensor, dim: i64) -> Tensor {
    x.mean_dim([dim].as_slice(), true, x.kind())
}

/// The matrix with orthonormal rows that is nearest to `x [m, n]`, m ≤ n; for m > n, with orthonormal
/// columns: U Vᵀ of its singular value decomposition, found on the CPU.
fn nearest_orthonormal(x: &Tensor) -> Tensor {
    let (u, _, v) = x.detach().to_device(Device::Cpu).to_kind(Kind::Double).svd(true, true);
    u.matmul(&v.transpose(0, 1)).to_kind(x.kind())
}

/// Iterations of [`orthonormalised`]; each squares the distance.
const ITERATIONS: usize = 5;

/// The same for rows that are nearly orthonormal, by Newton's and Schulz's iteration. Where they are
/// far from it, the numbers run away, and training is found to diverge.
pub(crate) fn orthonormalised(x: &Tensor) -> Tensor {
    let mut rows = x.detach().to_kind(Kind::Double);
    for _ in 0..ITERATIONS {
        let gram = rows.matmul(&rows.transpose(0, 1));
        rows = &rows * 1.5 - gram.matmul(&rows) * 0.5;
    }
    rows.to_kind(x.kind())
}

/// Overwrites a parameter's values.
pub(crate) fn overwrite(parameter: &Tensor, values: &Tensor) {
    tch::no_grad(|| parameter.shallow_clone().copy_(values));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::{cases, close};

    /// The rotation is random, so only the Gram matrix of the class vectors is fixed.
    #[test]
    fn frames_are_the_authors() {
        let cases = cases("heads.json", "kind", "etf");
        assert_eq!(cases.len(), 2);
        for case in &cases {
            let number = |of: &str, name: &str| case[of][name].as_f64().unwrap();
            let (k, d) = (number("params", "K") as i64, number("params", "d") as i64);
            let mut p = Parameters::new(Kind::Double, Device::Cpu, 1);
            let [own, other] =
                ["gram_diagonal", "gram_off_diagonal"].map(|name| number("outputs", name));
            let eye = Tensor::eye(k, (Kind::Double, Device::Cpu));
            let wanted = &eye * (own - other) + other;
            let wanted = Vec::<f64>::try_from(wanted.contiguous().view(-1)).unwrap();
            let head = Head::new(&mut p, "h", HeadLayer::FixedEtf, (d, k), Init::KaimingFanIn);
            let weight = head.map().weight;
            // Theirs was rounded to f32.
            close("Gram", &weight.matmul(&weight.transpose(0, 1)), &wanted, 1e-6);
        }
    }

    /// Where D < K, R has orthonormal rows and logits sum to 0; where D ≥ K, its rows and columns are
    /// orthonormal, and class vectors are those of the D-dimensional frame.
    #[test]
    fn rotated_frames_are_rotations() {
        for (d, k) in [(5, 9), (9, 5), (4, 4), (3, 2)] {
            let mut p = Parameters::new(Kind::Double, Device::Cpu, 1);
            let head = Head::new(&mut p, "h", HeadLayer::RotatedEtf, (d, k), Init::KaimingFanIn);
            let rotation = head.rotation().unwrap();
            let eye = |n: i64| {
                let eye = Tensor::eye(n, (Kind::Double, Device::Cpu));
                Vec::<f64>::try_from(eye.contiguous().view(-1)).unwrap()
            };
            let rows = |r: &Tensor| r.matmul(&r.transpose(0, 1));
            close("rows", &rows(rotation), &eye(d), 1e-12);
            // A step away, and back to the nearest: that of the decomposition.
            let step = Tensor::ones_like(rotation) * 0.1 * rotation.abs();
            let away = rotation.detach() + step;
            let back = orthonormalised(&away);
            close("rows after a step", &rows(&back), &eye(d), 1e-9);
            let nearest = nearest_orthonormal(&away).contiguous().view(-1);
            close("nearest", &back, &Vec::<f64>::try_from(nearest).unwrap(), 1e-9);
            let weight = head.map().weight;
            assert_eq!(weight.size(), [k, d]);
            if d < k {
                let sum = weight.sum_dim_intlist([0_i64].as_slice(), false, Kind::Double);
                assert!(sum.abs().max().double_value(&[]) < 1e-12);
            } else {
                let gram = weight.matmul(&weight.transpose(0, 1));
                let eye = Tensor::eye(k, (Kind::Double, Device::Cpu));
                let wanted = (eye - 1.0 / d as f64).contiguous().view(-1);
                close("frame", &gram, &Vec::<f64>::try_from(wanted).unwrap(), 1e-12);
            }
        }
    }
}
