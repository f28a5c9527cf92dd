//! The performance-critical arithmetic: products of packed batches with the columns of many
//! heads, and the step. It holds the crate's unsafe code, in `x86.rs` and its one caller; the only
//! other unsafe code maps files.

#![allow(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "loops over registers must be unrolled, as plain counting loops are"
)]

mod accurate;
mod bf16;
#[allow(unsafe_code, reason = "matrix and dot-product instructions; see each block")]
mod block;
mod columns;
mod factor;
mod packed;
mod panels;
mod per_class;
mod precision;
mod softmax;
#[cfg(test)]
mod tests;
mod tiles;
mod update;
mod weights;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "matrix and dot-product instructions; see each block")]
mod x86;

pub(crate) use self::accurate::{Input, ScoringColumns, ScoringRows, normalise_rows};
pub(crate) use self::block::{BLOCK, Unit, units};
pub(crate) use self::columns::{column_norms, column_sums, scale_columns, scale_weights};
pub(crate) use self::factor::Factor;
pub(crate) use self::packed::{Packed, padded_depth};
pub(crate) use self::panels::{Aligned, Panels, zeros};
pub(crate) use self::per_class::PerClass;
pub use self::precision::{Precision, PrecisionChoice};
pub(crate) use self::softmax::{Family, SoftmaxRows};
pub(crate) use self::tiles::Rows;
pub(crate) use self::update::{Steps, descend};
pub(crate) use self::weights::Weights;

/// Runs `work` compiled for this machine's best instruction set. Loops in it vectorise
/// provided that everything they call is inlined.
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

/// Begins to load the cache line at an address, which may be any.
#[inline(always)]
fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    x86::prefetch(at);
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Name of the instruction set in use.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = std::is_x86_feature_detected!("avx512f");
        match units().first() {
            Some(Unit::Tiles) => "avx512+amx-bf16",
            Some(Unit::Dots) => "avx512+bf16",
            #[cfg(test)]
            Some(Unit::Plain) => unreachable!("no unit of a machine"),
            None if avx512 => "avx512",
            None if std::is_x86_feature_detected!("fma") => "avx2+fma",
            None => "sse2",
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH
    }
}

/// Whether this is an Intel processor.
pub(crate) fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let leaf = std::arch::x86_64::__cpuid(0);
        [leaf.ebx, leaf.edx, leaf.ecx] == [0x756e_6547, 0x4965_6e69, 0x6c65_746e]
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}
