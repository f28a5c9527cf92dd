//! The bf16 product of one block, 16 rows by up to three registers, on the two kinds of unit that
//! x86 processors have for it.

use std::sync::OnceLock;

#[cfg(target_arch = "x86_64")]
use super::x86;

/// Rows in a block; also the lanes of a register.
pub(crate) const BLOCK: usize = 16;

/// Inner length of one step of a block: a register's worth of pairs.
pub(crate) const STEP: usize = 32;

/// The unit that multiplies bf16 numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "only x86 has them"))]
pub(crate) enum Unit {
    /// Tiles (AMX-BF16): a matrix instruction, at about 16 times the f32 peak.
    Tiles,
    /// Dot products (AVX-512 BF16): twice the f32 peak, but half of it on Intel's cores.
    Dots,
    /// A plain loop, so that the code around the units can be tested on machines without one.
    #[cfg(test)]
    Plain,
}

/// What a block's product is added to.
#[derive(Clone, Copy)]
pub(crate) enum Addend<'a> {
    /// Nothing.
    Zero,
    /// `[16, 16 registers]`. (Tiles could repeat one row sixteen times through a pitch of 0, but
    /// that is many times slower.)
    Rows(&'a [f32]),
    /// The contents of `out`.
    Out,
}

/// Where a block reads and writes. Distances between rows are in elements of the operand.
pub(crate) struct Block<'a> {
    /// `[16, 16 registers]`, from the start of the slice.
    pub out: &'a mut [f32],
    /// Distance between rows of `out`.
    pub pitch: usize,
    /// What the products are added to.
    pub start: Addend<'a>,
    /// bf16 `[16, inner]`.
    pub a: &'a [u16],
    /// Distance between rows of `a`.
    pub a_pitch: usize,
    /// Pairs `[inner / 2, 16 registers]`.
    pub b: &'a [u32],
    /// Distance between rows of `b`.
    pub b_pitch: usize,
    /// Inner length, a multiple of 32.
    pub inner: usize,
    /// 1, 2 or 3 registers.
    pub registers: usize,
}

impl Block<'_> {
    /// Adds the product `a b` to `start`, in f32, and writes the sum to `out`.
    ///
    /// # Panics
    ///
    /// If a slice is shorter than its shape.
    #[inline]
    fn multiply(mut self, unit: Unit) {
        let Self { pitch, a_pitch, b_pitch, inner, registers, .. } = self;
        let width = registers * BLOCK;
        let rows = BLOCK - 1;
        assert!((1..=3).contains(&registers) && inner > 0 && inner.is_multiple_of(STEP));
        assert!(pitch >= width && self.out.len() >= rows * pitch + width);
        assert!(a_pitch >= inner && self.a.len() >= rows * a_pitch + inner);
        assert!(b_pitch >= width && self.b.len() >= (inner / 2 - 1) * b_pitch + width);
        if let Addend::Rows(rows) = self.start {
            assert!(rows.len() >= BLOCK * width);
        }
        #[cfg(test)]
        if unit == Unit::Plain {
            return self.plain();
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the assertions keep everything that a block of this shape reads and writes within
        // its slices, and only `units` creates units, on machines that have them.
        unsafe {
            match unit {
                Unit::Tiles => x86::tiles(&mut self),
                Unit::Dots => x86::dots(&mut self),
                #[cfg(test)]
                Unit::Plain => unreachable!("taken above"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!("{unit:?} {:?}", self.out.len());
    }
}

#[cfg(test)]
impl Block<'_> {
    fn plain(self) {
        use super::bf16::from_bf16;
        for (i, j) in (0..BLOCK).flat_map(|i| (0..self.registers * BLOCK).map(move |j| (i, j))) {
            let at = i * self.pitch + j;
            let mut sum = match self.start {
                Addend::Zero => 0.0,
                Addend::Rows(rows) => rows[i * self.registers * BLOCK + j],
                Addend::Out => self.out[at],
            };
            for k in 0..self.inner {
                let pair = self.b[k / 2 * self.b_pitch + j];
                let b = if k % 2 == 0 { pair & 0xffff } else { pair >> 16 };
                sum += from_bf16(u32::from(self.a[i * self.a_pitch + k])) * from_bf16(b);
            }
            self.out[at] = sum;
        }
    }
}

/// The units of this machine, fastest first, then the plain loop.
#[cfg(test)]
pub(super) fn every_unit() -> impl Iterator<Item = Unit> {
    units().iter().copied().chain([Unit::Plain])
}

/// The units of this machine, fastest first.
pub(crate) fn units() -> &'static [Unit] {
    static UNITS: OnceLock<Vec<Unit>> = OnceLock::new();
    UNITS.get_or_init(|| {
        #[cfg(target_arch = "x86_64")]
        {
            let mut units = Vec::new();
            if x86::has_tiles() {
                units.push(Unit::Tiles);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16") {
                units.push(Unit::Dots);
            }
            units
        }
        #[cfg(not(target_arch = "x86_64"))]
        Vec::new()
    })
}

/// A thread's use of a unit: tiles are configured when it begins and released when it ends, which
/// spares the system from saving them.
pub(crate) struct Session(Unit);

impl Session {
    pub(crate) fn begin(unit: Unit) -> Self {
        #[cfg(target_arch = "x86_64")]
        if unit == Unit::Tiles {
            // SAFETY: the unit exists only where the processor has tiles.
            unsafe { x86::configure_tiles() }
        }
        Self(unit)
    }

    /// Adds the product of a block; see [`Block`].
    #[inline(always)]
    pub(crate) fn multiply(&self, block: Block<'_>) {
        block.multiply(self.0);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if self.0 == Unit::Tiles {
            // SAFETY: as in `begin`.
            unsafe { x86::release_tiles() }
        }
    }
}
