//! The sampler: what it draws, and how it learns.

use ndarray::Array1;
use rayon::prelude::*;

use crate::kernels::vectorised;
use crate::rng::{Purpose, Rng};

/// The sampler's logits, with Adam's moments.
pub(super) struct Learned {
    pub(super) phi: Vec<f64>,
    moments: Vec<[f64; 2]>,
    steps: i32,
}

/// What one draw of a batch has chosen.
pub(super) struct Drawn {
    pub(super) row: u32,
    pub(super) class: usize,
    /// Its share of the softmax over all samples, and that of each class.
    pub(super) share: f64,
    pub(super) shares: Vec<f64>,
}

/// Adam's rate and constants, the authors'.
const RATE: f64 = 0.01;
const MOMENTS: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Learned {
    /// The start, σ(φ) = 1/2 for every class: all samples alike.
    pub(super) fn new(n_classes: usize) -> Self {
        Self { phi: vec![0.0; n_classes], moments: vec![[0.0; 2]; n_classes], steps: 0 }
    }

    /// A batch of `n` independent draws from the samples `rows` of each class, with the noise of `seed` from
    /// number `first` on.
    pub(super) fn draw(
        &self,
        rows: &[Vec<u32>],
        n: usize,
        (seed, first): (u64, u64),
    ) -> Vec<Drawn> {
        let n_samples = rows.iter().map(Vec::len).sum();
        let one = |noise: &mut Vec<f64>, number: usize| {
            let mut rng = Rng::new(seed, Purpose::Sampler, first + number as u64);
            noise.clear();
            noise.extend((0..n_samples).map(|_| rng.between()));
            vectorised(
                #[inline(always)]
                || noise.iter_mut().for_each(|u| *u = minus_ln(*u)),
            );
            self.chosen(rows, noise)
        };
        (0..n).into_par_iter().map_init(Vec::new, one).collect()
    }

    /// What is chosen by the noise of each sample, class by class: an exponential variable E, which makes its
    /// score σ(φ) / E, as exp(Gumbel) = 1 / E.
    pub(super) fn chosen(&self, rows: &[Vec<u32>], noise: &[f64]) -> Drawn {
        let mut shares = vec![0.0; rows.len()];
        // A sampler that has diverged, with φ NaN, draws some sample all the same.
        let mut class = rows.iter().position(|rows| !rows.is_empty()).unwrap_or(0);
        let (mut best, mut place, mut first) = (-1.0, 0, 0);
        vectorised(
            #[inline(always)]
            || {
                for (c, rows) in rows.iter().enumerate() {
                    let noise = &noise[first..][..rows.len()];
                    let (sum, smallest) = inverses_and_smallest(noise);
                    let probability = sigmoid(self.phi[c]);
                    shares[c] = probability * sum;
                    let score = probability * (1.0 / smallest);
                    if score > best {
                        (best, class) = (score, c);
                        place = noise.iter().position(|e| *e == smallest).unwrap_or(0);
                    }
                    first += rows.len();
                }
            },
        );
        let total: f64 = shares.iter().sum();
        for share in &mut shares {
            *share /= total;
        }
        Drawn { row: rows[class][place], class, share: best / total, shares }
    }

    /// Steps φ by Adam. `better` is the derivative of the loss on the balanced batch with respect to
    /// the share of each drawn sample; that of the share is of the softmax, straight through.
    pub(super) fn learn(&mut self, drawn: &[Drawn], better: &Array1<f64>) {
        let gradient = self.gradient(drawn, better);
        self.steps += 1;
        let [a, b] = MOMENTS;
        let debias = |moment: f64, factor: f64| moment / (1.0 - factor.powi(self.steps));
        for ((phi, [m, v]), g) in self.phi.iter_mut().zip(&mut self.moments).zip(gradient) {
            *m = a * *m + (1.0 - a) * g;
            *v = b * *v + (1.0 - b) * g * g;
            *phi -= RATE * debias(*m, a) / (debias(*v, b).sqrt() + EPSILON);
        }
    }

    pub(super) fn gradient(&self, drawn: &[Drawn], better: &Array1<f64>) -> Vec<f64> {
        let mut gradient = vec![0.0; self.phi.len()];
        for (Drawn { class, share, shares, .. }, better) in drawn.iter().zip(better) {
            gradient[*class] += better * share;
            for (gradient, of_class) in gradient.iter_mut().zip(shares) {
                *gradient -= better * share * of_class;
            }
        }
        for (gradient, phi) in gradient.iter_mut().zip(&self.phi) {
            *gradient *= 1.0 - sigmoid(*phi);
        }
        gradient
    }
}

/// −ln u for 0 < u < 1, to the last digit or two: with u = 2ⁿ m, m between √½ and √2, and t = (m − 1) / (m + 1), it is
/// −n ln 2 − 2 artanh t.
#[inline(always)]
fn minus_ln(u: f64) -> f64 {
    const EXPONENT: u64 = 0xFFF << 52;
    let above = u.to_bits().wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits());
    let n = (above.cast_signed() >> 52) as f64;
    let m = f64::from_bits(u.to_bits().wrapping_sub(above & EXPONENT));
    let t = (m - 1.0) / (m + 1.0);
    let square = t * t;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        series = series * square + 1.0 / odd;
    }
    -(n * std::f64::consts::LN_2 + 2.0 * t * series)
}

/// Σ 1 / e, and the smallest e; infinite if there is none.
#[inline(always)]
fn inverses_and_smallest(noise: &[f64]) -> (f64, f64) {
    let (lanes, left) = noise.as_chunks::<8>();
    let (mut sums, mut smallest) = ([0.0; 8], [f64::INFINITY; 8]);
    for e in lanes {
        for lane in 0..8 {
            sums[lane] += 1.0 / e[lane];
            smallest[lane] = if e[lane] < smallest[lane] { e[lane] } else { smallest[lane] };
        }
    }
    for (lane, e) in left.iter().enumerate() {
        sums[lane] += 1.0 / e;
        smallest[lane] = smallest[lane].min(*e);
    }
    (sums.iter().sum(), smallest.iter().copied().fold(f64::INFINITY, f64::min))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampler_that_has_diverged_draws_samples_that_there_are() {
        let mut sampler = Learned::new(2);
        sampler.phi = vec![f64::NAN; 2];
        let drawn = sampler.draw(&[vec![], vec![4, 7]], 3, (0, 0));
        assert!(drawn.iter().all(|drawn| drawn.class == 1 && drawn.row == 4));
    }

    #[test]
    fn the_logarithm_is_the_librarys() {
        let mut rng = Rng::new(0, Purpose::Sampler, 0);
        let ends = [0.5_f64.powi(33), 1.0 - 0.5_f64.powi(33), 0.5, 0.707, 0.708];
        for u in ends.into_iter().chain((0..10_000).map(|_| rng.between())) {
            assert!(0.0 < u && u < 1.0);
            let wanted = -u.ln();
            assert!((minus_ln(u) - wanted).abs() <= 4e-16 * wanted, "{u}: {wanted}");
        }
    }
}
