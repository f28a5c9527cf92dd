//! What this machine can do at most, for comparison with what is done.

use std::time::{Duration, Instant};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

/// Multiply-adds of f32 in registers of all threads of the current pool together, in 10⁹ operations
/// a second (two each), measured for about `time`.
pub(crate) fn peak(time: Duration) -> f64 {
    let rates = (0..rayon::current_num_threads()).into_par_iter();
    rates.map(|_| rate(time, || pulp::Arch::new().dispatch(MultiplyAdds))).sum()
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
