//! The only unsafe code of the crate: matrix products through the `gemm` crate, and
//! the dispatch that compiles a loop once per instruction set.

#![allow(unsafe_code, reason = "the gemm crate takes raw pointers; see each block")]

use crate::real::Real;

/// Runs `work` compiled for the best instruction set of this machine. Loops in it
/// vectorise as far as everything they call is inlined.
#[inline]
pub(crate) fn vectorised<T>(work: impl FnOnce() -> T) -> T {
    struct Work<F>(F);
    impl<T, F: FnOnce() -> T> pulp::NullaryFnOnce for Work<F> {
        type Output = T;

        #[inline(always)]
        fn call(self) -> T {
            (self.0)()
        }
    }
    pulp::Arch::new().dispatch(Work(work))
}

/// Name of the instruction set in use. Bits are the same for any number of threads
/// on one instruction set, and differ in the last digits between them.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f") {
            "avx512"
        } else if std::is_x86_feature_detected!("fma") {
            "avx2+fma"
        } else {
            "sse2"
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}

/// Longest inner dimension of one call, so that the order of additions depends on
/// the inner dimension alone and not on how many heads stand side by side.
const INNER: usize = 256;

/// `out [n, c] = a [n, inner] · b [inner, c]`, all row-major.
///
/// # Panics
///
/// If a slice is shorter than its shape.
pub(crate) fn product<R: Real>(out: &mut [R], a: &[R], b: &[R], n: usize, inner: usize, c: usize) {
    for start in (0..inner).step_by(INNER) {
        let depth = INNER.min(inner - start);
        multiply(
            Out { data: out, n, c, add: start > 0 },
            Operand { data: &a[start..], rows: inner as isize, inner: 1 },
            &b[start * c..],
            depth,
        );
    }
}

/// `out [d, c] = aᵀ · b` for `a [n, d]` and `b [n, c]`, all row-major.
///
/// # Panics
///
/// If a slice is shorter than its shape.
pub(crate) fn transposed_product<R: Real>(
    out: &mut [R],
    a: &[R],
    b: &[R],
    n: usize,
    d: usize,
    c: usize,
) {
    for start in (0..n).step_by(INNER) {
        let depth = INNER.min(n - start);
        multiply(
            Out { data: out, n: d, c, add: start > 0 },
            Operand { data: &a[start * d..], rows: 1, inner: d as isize },
            &b[start * c..],
            depth,
        );
    }
}

struct Out<'a, R> {
    data: &'a mut [R],
    n: usize,
    c: usize,
    add: bool,
}

struct Operand<'a, R> {
    data: &'a [R],
    /// Step from one row of the result to the next.
    rows: isize,
    /// Step along the inner dimension.
    inner: isize,
}

fn multiply<R: Real>(out: Out<'_, R>, a: Operand<'_, R>, b: &[R], depth: usize) {
    let Out { data, n, c, add } = out;
    if n == 0 || c == 0 || depth == 0 {
        return;
    }
    let reach = (n - 1) * a.rows as usize + (depth - 1) * a.inner as usize;
    assert!(data.len() >= n * c && b.len() >= depth * c && a.data.len() > reach);
    // SAFETY: the assertion above keeps every index that these strides reach inside
    // its slice, `data` is borrowed mutably and so overlaps neither operand, and R is
    // f32 or f64 (the trait is sealed), which gemm tells apart by TypeId.
    unsafe {
        // The transposed problem, whose columns are contiguous: outᵀ = bᵀ aᵀ.
        gemm::gemm(
            c,
            n,
            depth,
            data.as_mut_ptr(),
            c as isize,
            1,
            add,
            b.as_ptr(),
            c as isize,
            1,
            a.data.as_ptr(),
            a.rows,
            a.inner,
            R::ONE,
            R::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    fn random(n: usize, rng: &mut Rng) -> Vec<f64> {
        (0..n).map(|_| rng.uniform() - 0.5).collect()
    }

    fn close(got: &[f64], want: &[f64]) {
        for (a, b) in got.iter().zip(want) {
            assert!((a - b).abs() < 1e-12, "{a} against {b}");
        }
    }

    #[test]
    fn products_equal_the_plain_loop_over_random_shapes() {
        let mut rng = Rng::new(1, Purpose::Start, 0);
        for round in 0..60 {
            let inner = if round % 6 == 0 { 200 + rng.below(400) } else { 1 + rng.below(40) };
            let (n, c) = (1 + rng.below(40), 1 + rng.below(120));
            let (a, b) = (random(n * inner, &mut rng), random(inner * c, &mut rng));
            let at = |i: usize, j: usize| (0..inner).map(|k| a[i * inner + k] * b[k * c + j]).sum();
            let want: Vec<f64> = (0..n * c).map(|p| at(p / c, p % c)).collect();
            // NaN in the result must be overwritten, not added to.
            let mut got = vec![f64::NAN; n * c];
            product(&mut got, &a, &b, n, inner, c);
            close(&got, &want);

            let transposed: Vec<f64> = (0..inner * n).map(|p| a[(p % n) * inner + p / n]).collect();
            let mut got = vec![f64::NAN; n * c];
            transposed_product(&mut got, &transposed, &b, inner, n, c);
            close(&got, &want);
        }
    }

    #[test]
    fn a_column_has_the_same_bits_wherever_it_stands() {
        let mut rng = Rng::new(2, Purpose::Start, 0);
        let as_f32 = |values: Vec<f64>| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        for (n, inner, c) in [(64, 300, 500), (1, 64, 500), (31, 64, 300), (1, 600, 64)] {
            let a = as_f32(random(n * inner, &mut rng));
            let b = as_f32(random(inner * c, &mut rng));
            let mut whole = vec![0.0; n * c];
            product(&mut whole, &a, &b, n, inner, c);
            for (first, width) in [(0, c / 5), (37, 10), (c - 20, 20), (c - 2, 2), (13, 3)] {
                let part: Vec<f32> =
                    b.chunks(c).flat_map(|row| row[first..first + width].to_vec()).collect();
                let mut got = vec![0.0; n * width];
                product(&mut got, &a, &part, n, inner, width);
                for (row, want) in got.chunks(width).zip(whole.chunks(c)) {
                    assert_eq!(row, &want[first..first + width], "{n} {inner} {c} {first} {width}");
                }
            }
        }
    }
}
