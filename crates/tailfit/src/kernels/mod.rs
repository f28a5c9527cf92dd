//! The arithmetic that takes the time: products of packed batches with the columns of many
//! heads, and the step. Holds the unsafe code of the crate, in `x86.rs` and its one caller (beside it
//! there is the mapping of files).

#![allow(
    clippy::needless_range_loop,
    clippy::manual_memcpy,
    reason = "loops over registers have to be unrolled, which plain counts are"
)]

mod accurate;
mod bf16;
#[allow(unsafe_code, reason = "matrix and dot-product instructions; see each block")]
mod block;
mod columns;
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

pub(crate) use self::accurate::{ScoringColumns, ScoringRows, normalise_rows};
pub(crate) use self::block::{BLOCK, Unit, units};
pub(crate) use self::columns::{column_norms, column_sums, scale_columns, scale_weights};
pub(crate) use self::packed::{Packed, padded_depth};
pub(crate) use self::panels::{Aligned, Panels, zeros};
pub(crate) use self::per_class::PerClass;
pub use self::precision::{Precision, PrecisionChoice};
pub(crate) use self::softmax::{Family, SoftmaxRows};
pub(crate) use self::tiles::Rows;
pub(crate) use self::update::{Steps, descend};
pub(crate) use self::weights::Weights;

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

/// Name of the instruction set in use.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    {
        let avx512 = std::is_x86_feature_detected!("avx512f");
        match units().first() {
            Some(Unit::Tiles) => "avx512+amx-bf16",
            Some(_) => "avx512+bf16",
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

/// Whether the processor is Intel's.
pub(crate) fn is_intel() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        let leaf = std::arch::x86_64::__cpuid(0);
        [leaf.ebx, leaf.edx, leaf.ecx] == [0x756e_6547, 0x4965_6e69, 0x6c65_746e]
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}
