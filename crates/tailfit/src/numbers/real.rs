//! The engine's number type: `f32`, plus `f64` so that the golden files check the very code
//! that ships.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

use super::Lane;

/// `f32` or `f64`; nothing else implements it.
pub(crate) trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Lane
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// About the smallest non-zero number that [`Real::exp_neg`] returns.
    const SMALLEST_EXP: Self;
    /// Numbers of smaller magnitude are negligible in sums of gradients.
    const NEGLIGIBLE: Self;
    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Converts exactly.
    fn to_f64(self) -> f64;
    /// Rounds to single precision.
    fn to_f32(self) -> f32;
    /// eˣ for x ≤ 0. In f32 this is a polynomial that vectorises, with a relative error below
    /// 3e-7; below -34 it is 0, because products of smaller numbers with each other and with a
    /// class weight leave the normal range, where processors are many times slower. In f64 it is
    /// the standard library's.
    fn exp_neg(self) -> Self;
    /// ln(1 + x) for 0 ≤ x ≤ 1. In f32 this is a series that vectorises, with a relative error
    /// below 3e-7; in f64 it is the standard library's.
    fn ln_1p_unit(self) -> Self;
    /// self · a + b, with a single rounding.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Absolute value.
    fn abs(self) -> Self;
    /// 0 if the magnitude is below [`Real::NEGLIGIBLE`], which keeps sums out of the subnormal
    /// range.
    #[inline(always)]
    fn flushed(self) -> Self {
        if self.abs() < Self::NEGLIGIBLE { Self::ZERO } else { self }
    }
    /// The logistic function, 1 / (1 + e⁻ˣ).
    #[inline(always)]
    fn logistic(self) -> Self {
        let e = (-self.abs()).exp_neg();
        let smaller = e / (Self::ONE + e);
        if self < Self::ZERO { smaller } else { Self::ONE - smaller }
    }
    /// The larger of two numbers; the first if either is NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if other > self { other } else { self }
    }
}

/// The exponential in single precision: x = n ln 2 + r with |r| ≤ ln 2 / 2, and a polynomial in r.
pub(crate) mod exp {
    /// Adding it rounds to an integer, left in the lowest bits.
    pub(crate) const ROUND: f32 = 12_582_912.0;
    /// The first part of ln 2, with few significant bits.
    pub(crate) const LN_2_HIGH: f32 = 0.693_359_4;
    /// The rest of ln 2.
    pub(crate) const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Below this the exponential is 0.
    pub(crate) const LOWEST: f32 = -34.0;
    /// 1 / n!, from the sixth power down.
    pub(crate) const COEFFICIENTS: [f32; 7] =
        [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const SMALLEST_EXP: Self = 1.7e-15;
    const NEGLIGIBLE: Self = 1e-30;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as Self
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    #[inline(always)]
    fn exp_neg(self) -> Self {
        use exp::{COEFFICIENTS, LN_2_HIGH, LN_2_LOW, LOWEST, ROUND};
        let x = if self < LOWEST { LOWEST } else { self };
        let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
        let n = shifted - ROUND;
        let r = n.mul_add(-LN_2_LOW, n.mul_add(-LN_2_HIGH, x));
        let mut p = COEFFICIENTS[0];
        for coefficient in &COEFFICIENTS[1..] {
            p = p.mul_add(r, *coefficient);
        }
        let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
        if self < LOWEST { 0.0 } else { p * power }
    }

    #[inline(always)]
    fn ln_1p_unit(self) -> Self {
        // ln(1 + x) = 2 artanh(t), t = x / (2 + x) ≤ 1/3.
        let t = self / (2.0 + self);
        let t2 = t * t;
        let p = 1.0 / 13.0;
        let p = p * t2 + 1.0 / 11.0;
        let p = p * t2 + 1.0 / 9.0;
        let p = p * t2 + 1.0 / 7.0;
        let p = p * t2 + 1.0 / 5.0;
        let p = p * t2 + 1.0 / 3.0;
        // Factored, because t³ could be subnormal.
        2.0 * t * (p * t2 + 1.0)
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const SMALLEST_EXP: Self = Self::MIN_POSITIVE;
    const NEGLIGIBLE: Self = 1e-300;

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn exp_neg(self) -> Self {
        self.exp()
    }

    #[inline(always)]
    fn ln_1p_unit(self) -> Self {
        self.ln_1p()
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f32_exp_and_ln_1p_are_right_to_3e_7() {
        for step in 0..=200_000 {
            let x = -34.0 * f64::from(step) / 200_000.0;
            let (got, want) = (f64::from((x as f32).exp_neg()), f64::from(x as f32).exp());
            assert!((got / want - 1.0).abs() < 3e-7, "exp {x}: {got} against {want}");
            let x = f64::from(step) / 200_000.0;
            let (got, want) = (f64::from((x as f32).ln_1p_unit()), f64::from(x as f32).ln_1p());
            assert!((got - want).abs() <= 3e-7 * want, "ln_1p {x}: {got} against {want}");
        }
        assert_eq!((0.0_f32).exp_neg(), 1.0);
        assert_eq!((-1e30_f32).exp_neg(), 0.0);
    }
}
