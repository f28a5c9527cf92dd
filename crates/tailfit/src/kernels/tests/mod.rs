//! Every code path this machine has, against a plain loop, over random shapes with every remainder.

mod scoring;

use pulp::{Simd, WithSimd};

use super::bf16::{from_bf16, to_bf16};
use super::block::{Addend, Block, Session, every_unit};
use super::tiles::{Descend, Forward};
use super::*;
use crate::rng::{Purpose, Rng};

fn random(n: usize, rng: &mut Rng) -> Vec<f64> {
    (0..n).map(|_| rng.uniform() - 0.5).collect()
}

fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// Σ over the inner dimension of a[i] b[j], for all rows i and columns j.
fn plain(a: &[f64], b: &[f64], n: usize, inner: usize, c: usize) -> Vec<f64> {
    let at = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * c + j]).sum();
    (0..n * c).map(|p| at(p / c, p % c)).collect()
}

/// The same as a chain of multiply-adds each, from the start of its column.
fn chained(a: &[f32], b: &[f32], start: &[f32], (n, inner, c): (usize, usize, usize)) -> Vec<f32> {
    let term = |p: usize, k: usize, sum| a[p / c * inner + k].mul_add(b[k * c + p % c], sum);
    (0..n * c).map(|p| (0..inner).fold(start[p % c], |sum, k| term(p, k, sum))).collect()
}

fn close(got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (&a, b) in got.iter().zip(want) {
        assert!((f64::from(a) - b).abs() < tolerance, "{a} against {b}");
    }
}

/// Runs the work on each instruction set that this machine has, through the same dispatch.
fn on_every_set<W: WithSimd>(work: impl Fn() -> W) -> Vec<W::Output> {
    let mut outputs = vec![work().with_simd(pulp::Scalar), pulp::Arch::new().dispatch(work())];
    #[cfg(target_arch = "x86_64")]
    {
        outputs.extend(pulp::x86::V3::try_new().map(|simd| Simd::vectorize(simd, work())));
        outputs.extend(pulp::x86::V4::try_new().map(|simd| Simd::vectorize(simd, work())));
    }
    outputs
}

/// A product and the transposed product of one shape, on one instruction set.
struct Both<'a> {
    batch: &'a Packed<f32>,
    w: &'a Aligned<f32>,
    bias: &'a [f32],
    panels: Panels,
    g: &'a [f32],
}

impl WithSimd for Both<'_> {
    type Output = (Vec<f32>, Vec<f32>);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let super::packed::Values::Full(x) = &self.batch.values else { panic!() };
        let c = self.panels.columns;
        let mut z = vec![f32::NAN; self.batch.padded * c];
        let out = Rows { values: &mut z, pitch: c };
        let (w, bias, panels) = (self.w, self.bias, self.panels);
        Forward { out, x, w, bias, panels }.with_simd(simd);
        let width = 48.min(c);
        let g: Vec<f32> = self.g.chunks_exact(c).flat_map(|row| row[..width].to_vec()).collect();
        // With a learning rate of -1 and nothing else, a step from 0 yields the gradient.
        let mut grad = vec![0.0; self.batch.depth * width];
        let (mut velocity, lr, zero) = (grad.clone(), [-1.0; 48], [0.0; 48]);
        let (lr, decay, momentum) = (&lr[..width], &zero[..width], &zero[..width]);
        let steps = Steps { lr, decay, momentum, nesterov: false };
        let (value, velocity) = (&mut grad[..], &mut velocity[..]);
        Descend { value, velocity, x, g: &g, steps }.with_simd(simd);
        (z, grad)
    }
}

#[test]
fn both_products_equal_the_plain_loop_and_each_other_on_every_instruction_set() {
    let mut rng = Rng::new(1, Purpose::Start, 0);
    for round in 0..40 {
        let dim = if round % 5 == 0 { 120 + rng.below(200) } else { 1 + rng.below(40) };
        let (b, c) = (1 + rng.below(40), 1 + rng.below(170));
        let (x, w) = (random(b * dim, &mut rng), random(dim * c, &mut rng));
        let bias = random(c, &mut rng);
        let mut batch = Packed::new(dim, None);
        let rows = singles(&x);
        batch.pack(rows.chunks_exact(dim));
        let panels = Panels::new(batch.depth, c);
        let mut weights = zeros(panels.len());
        for (p, &value) in w.iter().enumerate() {
            weights[panels.at(p / c, p % c)] = value as f32;
        }
        let mut padded_bias = singles(&bias);
        padded_bias.resize(panels.columns, 0.0);
        let mut g = vec![0.0; batch.padded * panels.columns];
        let full_g = random(b * c, &mut rng);
        for (p, &value) in full_g.iter().enumerate() {
            g[p / c * panels.columns + p % c] = value as f32;
        }
        let work = || Both { batch: &batch, w: &weights, bias: &padded_bias, panels, g: &g };
        let outputs = on_every_set(work);
        let want: Vec<f64> =
            plain(&x, &w, b, dim, c).iter().enumerate().map(|(p, z)| z + bias[p % c]).collect();
        let transposed: Vec<f64> = (0..dim * b).map(|p| x[p % b * dim + p / b]).collect();
        let gradient = plain(&transposed, &full_g, dim, b, c);
        for (z, grad) in &outputs {
            for i in 0..b {
                close(&z[i * panels.columns..][..c], &want[i * c..][..c], 2e-5);
            }
            let width = panels.columns.min(48);
            for j in 0..dim {
                let n = width.min(c);
                close(&grad[j * width..][..n], &gradient[j * c..][..n], 2e-5);
            }
        }
        // All sets with fused multiply-add are bit-identical; the scalar path does not fuse.
        assert!(outputs[1..].iter().all(|output| *output == outputs[1]));
        // Each result is one chain of them, in the order of the inner dimension.
        let z = chained(&rows, &singles(&w), &padded_bias, (b, dim, c));
        let grad = chained(&singles(&transposed), &singles(&full_g), &vec![0.0; c], (dim, b, c));
        let (pitch, width) = (panels.columns, panels.columns.min(48));
        for (found, found_grad) in &outputs[2..] {
            assert!((0..b * c).all(|p| found[p / c * pitch + p % c] == z[p]));
            let mut seen = (0..dim * c).filter(|p| p % c < width);
            assert!(seen.all(|p| found_grad[p / c * width + p % c] == grad[p]));
        }
    }
}

#[test]
fn blocks_of_bf16_equal_the_plain_loop_on_every_unit() {
    let mut rng = Rng::new(2, Purpose::Start, 0);
    for unit in every_unit() {
        for round in 0..60 {
            let (inner, registers) = (32 * (1 + rng.below(5)), 1 + round % 3);
            let width = registers * BLOCK;
            let (pitch, a_pitch, b_pitch) =
                (width + rng.below(9), inner + rng.below(9), width + rng.below(9));
            let half = |n, rng: &mut Rng| -> Vec<u32> {
                random(n, rng).iter().map(|&v| to_bf16(v as f32)).collect()
            };
            let a: Vec<u16> = half(16 * a_pitch, &mut rng).iter().map(|&v| v as u16).collect();
            let (even, odd) =
                (half(inner / 2 * b_pitch, &mut rng), half(inner / 2 * b_pitch, &mut rng));
            let b: Vec<u32> = even.iter().zip(&odd).map(|(e, o)| e | o << 16).collect();
            let start = singles(&random(16 * width, &mut rng));
            let mut out = singles(&random(16 * pitch, &mut rng));
            let before = out.clone();
            let begin = [Addend::Zero, Addend::Rows(&start), Addend::Out][round / 3 % 3];
            Session::begin(unit).multiply(Block {
                out: &mut out,
                pitch,
                start: begin,
                a: &a,
                a_pitch,
                b: &b,
                b_pitch,
                inner,
                registers,
            });
            for (p, &got) in out.iter().enumerate() {
                let (i, j) = (p / pitch, p % pitch);
                if j >= width {
                    assert_eq!(got, before[p], "outside the block");
                    continue;
                }
                let mut want = match begin {
                    Addend::Zero => 0.0,
                    Addend::Rows(rows) => f64::from(rows[i * width + j]),
                    Addend::Out => f64::from(before[p]),
                };
                for k in 0..inner {
                    let pairs = if k % 2 == 0 { &even } else { &odd };
                    let value = from_bf16(pairs[k / 2 * b_pitch + j]);
                    want += f64::from(from_bf16(u32::from(a[i * a_pitch + k]))) * f64::from(value);
                }
                assert!((f64::from(got) - want).abs() < 2e-5, "{unit:?}: {got} against {want}");
            }
        }
    }
}

/// The step in each precision, against a plain loop in f64 on the same rounded operands.
#[test]
fn a_step_equals_the_plain_loop() {
    let mut rng = Rng::new(3, Purpose::Start, 0);
    let ways = std::iter::once(None).chain(every_unit().map(Some));
    for unit in ways {
        for round in 0..20 {
            let (b, dim, c) = (1 + rng.below(70), 1 + rng.below(70), 1 + rng.below(130));
            let round_off = |v: &f64| match unit {
                Some(_) => f64::from(from_bf16(to_bf16(*v as f32))),
                None => f64::from(*v as f32),
            };
            let (x, w, g) =
                (random(b * dim, &mut rng), random(dim * c, &mut rng), random(b * c, &mut rng));
            let mut batch = Packed::new(dim, unit);
            let rows = singles(&x);
            batch.pack(rows.chunks_exact(dim));
            let panels = Panels::new(batch.depth, c);
            let mut weights = Weights::<f32>::new(panels, unit);
            for (p, &value) in w.iter().enumerate() {
                weights.value[panels.at(p / c, p % c)] = value as f32;
            }
            weights.changed();
            let mut z = vec![f32::NAN; batch.padded * panels.columns];
            let bias = vec![0.5; panels.columns];
            let out = Rows { values: &mut z, pitch: panels.columns };
            weights.forward(out, &batch, 0, &bias);
            let [x, rounded_w, rounded_g] =
                [&x, &w, &g].map(|values| values.iter().map(round_off).collect::<Vec<f64>>());
            let want: Vec<f64> = plain(&x, &rounded_w, b, dim, c).iter().map(|z| z + 0.5).collect();
            for i in 0..b {
                close(&z[i * panels.columns..][..c], &want[i * c..][..c], 2e-5);
            }
            z.fill(0.0);
            for (p, &value) in g.iter().enumerate() {
                z[p / c * panels.columns + p % c] = value as f32;
            }
            let per_column = |base: f32| -> Vec<f32> {
                (0..panels.columns).map(|k| base * (1.0 + k as f32 / 100.0)).collect()
            };
            let (lr, decay, momentum) = (per_column(0.1), per_column(0.01), per_column(0.3));
            let nesterov = round % 2 == 0;
            let steps = Steps { lr: &lr, decay: &decay, momentum: &momentum, nesterov };
            let transposed: Vec<f64> = (0..dim * b).map(|p| x[p % b * dim + p / b]).collect();
            let gradient = plain(&transposed, &rounded_g, dim, b, c);
            let (mut value, mut velocity) = (w.clone(), vec![0.0; dim * c]);
            for step in 0..2 {
                weights.descend(&z, panels.columns, &batch, &steps, step == 1);
                for p in 0..dim * c {
                    let (lr, decay, momentum) =
                        (f64::from(lr[p % c]), f64::from(decay[p % c]), f64::from(momentum[p % c]));
                    let grad = gradient[p] + decay * value[p];
                    velocity[p] = momentum * velocity[p] + grad;
                    let step = if nesterov { grad + momentum * velocity[p] } else { velocity[p] };
                    value[p] -= lr * step;
                }
            }
            let got: Vec<f32> =
                (0..dim * c).map(|p| weights.value[panels.at(p / c, p % c)]).collect();
            close(&got, &value, 2e-5);
        }
    }
}
