//! What this machine can do at most, for comparison with what is done.

use std::time::{Duration, Instant};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{BLOCK, Block, Session, Start, units};
use super::panels::PANEL;

/// Rates of all threads of the current pool together, in 10⁹ operations a second.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// Multiply-adds of f32 in registers, two operations each.
    pub f32: f64,
    /// Products of bf16 blocks that stay in the first cache, where the machine has them.
    pub bf16: Option<f64>,
}

/// Measures for about `time` each.
pub fn peaks(time: Duration) -> Peaks {
    let together = |work: &(dyn Fn() -> f64 + Sync)| -> f64 {
        (0..rayon::current_num_threads()).into_par_iter().map(|_| work()).sum()
    };
    let f32 = together(&|| rate(time, || pulp::Arch::new().dispatch(MultiplyAdds)));
    let bf16 = units().first().map(|&unit| {
        together(&|| {
            const INNER: usize = 128;
            let (a, b) = ([0x3f80; BLOCK * INNER], [0x3f80_3f80; INNER / 2 * PANEL]);
            let mut out = [0.0; BLOCK * PANEL];
            let session = Session::begin(unit);
            rate(time, || {
                for _ in 0..64 {
                    session.multiply(Block {
                        out: &mut out,
                        pitch: PANEL,
                        start: Start::Zero,
                        a: &a,
                        a_pitch: INNER,
                        b: &b,
                        b_pitch: PANEL,
                        inner: INNER,
                        registers: PANEL / BLOCK,
                    });
                }
                64 * 2 * BLOCK * PANEL * INNER
            })
        })
    });
    Peaks { f32, bf16 }
}

/// 10⁹ operations a second of work that returns how many it did.
fn rate(time: Duration, mut work: impl FnMut() -> usize) -> f64 {
    let start = Instant::now();
    let mut operations = 0;
    while start.elapsed() < time {
        operations += work();
    }
    operations as f64 / start.elapsed().as_secs_f64() / 1e9
}

/// Chains of multiply-adds, as many as a tile has.
struct MultiplyAdds;

impl WithSimd for MultiplyAdds {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> usize {
        const ROUNDS: usize = 10_000;
        const CHAINS: usize = 12;
        let factor = simd.splat_f32s(std::hint::black_box(0.999));
        let term = simd.splat_f32s(std::hint::black_box(1e-3));
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..ROUNDS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, term);
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = simd.add_f32s(all, *sum);
        }
        std::hint::black_box(simd.reduce_sum_f32s(all));
        2 * ROUNDS * CHAINS * S::F32_LANES
    }
}
