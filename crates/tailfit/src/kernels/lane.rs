//! One number, or a register of them.

use pulp::Simd;

/// What the tiles need of `f32` and `f64`.
pub trait Lane: Copy + Default + Send + Sync + 'static {
    /// A register of this number.
    type Vector<S: Simd>: Copy;
    /// The slice as registers; its length is a multiple of a register's.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];
    /// The same, to write to.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];
    /// The number in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// a · b + c, fused where the machine can.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// The slice if it is f32, as bf16 kernels need; nothing else is trained in bf16.
    fn as_f32(slice: &[Self]) -> &[f32];
    /// The same, to write to.
    fn as_f32_mut(slice: &mut [Self]) -> &mut [f32];
    /// The way back.
    fn from_f32(slice: &[f32]) -> &[Self];
}

impl Lane for f32 {
    type Vector<S: Simd> = S::f32s;

    #[inline(always)]
    fn vectors<S: Simd>(slice: &[Self]) -> &[S::f32s] {
        S::as_simd_f32s(slice).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(slice).0
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f32s {
        simd.splat_f32s(value)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }

    #[inline(always)]
    fn as_f32(slice: &[Self]) -> &[f32] {
        slice
    }

    #[inline(always)]
    fn as_f32_mut(slice: &mut [Self]) -> &mut [f32] {
        slice
    }

    #[inline(always)]
    fn from_f32(slice: &[f32]) -> &[Self] {
        slice
    }
}

impl Lane for f64 {
    type Vector<S: Simd> = S::f64s;

    #[inline(always)]
    fn vectors<S: Simd>(slice: &[Self]) -> &[S::f64s] {
        S::as_simd_f64s(slice).0
    }

    #[inline(always)]
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(slice).0
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f64s {
        simd.splat_f64s(value)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }

    #[inline(always)]
    fn as_f32(_: &[Self]) -> &[f32] {
        unreachable!("bf16 is for f32 alone")
    }

    #[inline(always)]
    fn as_f32_mut(_: &mut [Self]) -> &mut [f32] {
        unreachable!("bf16 is for f32 alone")
    }

    #[inline(always)]
    fn from_f32(_: &[f32]) -> &[Self] {
        unreachable!("bf16 is for f32 alone")
    }
}
