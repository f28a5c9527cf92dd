//! The operations that the kernels need on a number and on a register of numbers.

use pulp::Simd;

/// What the kernels need from `f32` and `f64`.
pub(crate) trait Lane: Copy + Default + Send + Sync + 'static {
    /// A register of this number.
    type Vector<S: Simd>: Copy;
    /// The slice as registers; its length must be a multiple of a register's.
    fn vectors<S: Simd>(slice: &[Self]) -> &[Self::Vector<S>];
    /// The same, mutably.
    fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [Self::Vector<S>];
    /// The number in every lane.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// a · b + c, fused if the machine can.
    fn mul_add_each<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// c − a · b, fused if the machine can.
    fn negate_mul_add_each<S: Simd>(
        simd: S,
        a: Self::Vector<S>,
        b: Self::Vector<S>,
        c: Self::Vector<S>,
    ) -> Self::Vector<S>;
    /// Sets every lane smaller than `smallest` in magnitude to 0.
    fn flush<S: Simd>(simd: S, a: Self::Vector<S>, smallest: Self) -> Self::Vector<S>;
    /// Whether the number is `f32`.
    const SINGLE: bool;
    /// The slice as f32, for the bf16 kernels; panics for f64, which is never trained in bf16.
    fn as_f32(slice: &[Self]) -> &[f32];
    /// The same, mutably.
    fn as_f32_mut(slice: &mut [Self]) -> &mut [f32];
}

macro_rules! lane {
    (
        $number:ident, $vector:ident, $vectors:ident, $vectors_mut:ident, $splat:ident,
        $mul_add:ident, $negate_mul_add:ident, $abs:ident, $less_than:ident, $select:ident,
        |$slice:ident| $single:expr
    ) => {
        impl Lane for $number {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn vectors<S: Simd>(slice: &[Self]) -> &[S::$vector] {
                S::$vectors(slice).0
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(slice: &mut [Self]) -> &mut [S::$vector] {
                S::$vectors_mut(slice).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }

            #[inline(always)]
            fn mul_add_each<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn negate_mul_add_each<S: Simd>(
                simd: S,
                a: S::$vector,
                b: S::$vector,
                c: S::$vector,
            ) -> S::$vector {
                simd.$negate_mul_add(a, b, c)
            }

            #[inline(always)]
            fn flush<S: Simd>(simd: S, a: S::$vector, smallest: Self) -> S::$vector {
                let small = simd.$less_than(simd.$abs(a), simd.$splat(smallest));
                simd.$select(small, simd.$splat(0.0), a)
            }

            const SINGLE: bool = size_of::<Self>() == 4;

            #[inline(always)]
            fn as_f32($slice: &[Self]) -> &[f32] {
                $single
            }

            #[inline(always)]
            fn as_f32_mut($slice: &mut [Self]) -> &mut [f32] {
                $single
            }
        }
    };
}

lane!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    mul_add_e_f32s,
    negate_mul_add_e_f32s,
    abs_f32s,
    less_than_f32s,
    select_f32s,
    |slice| slice
);
lane!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    mul_add_e_f64s,
    negate_mul_add_e_f64s,
    abs_f64s,
    less_than_f64s,
    select_f64s,
    |_slice| unreachable!("only f32 has bf16 kernels")
);
