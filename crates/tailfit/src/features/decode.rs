//! Decodes little-endian bytes of any number type to f32 features and u32 labels.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use crate::error::{Error, Result};

/// Number types of features and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// An integer of this many bytes, and whether it is signed.
    Int(usize, bool),
}

impl Dtype {
    pub(super) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Int(size, _) => size,
        }
    }

    pub(super) fn is_float(self) -> bool {
        !matches!(self, Self::Int(..))
    }

    /// Decodes numbers to f32, as many as `out` has room for. Integers are not features; they
    /// become 0.
    pub(super) fn floats(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F16 => {
                let halves: Vec<f16> = words(bytes).map(f16::from_le_bytes).collect();
                halves.convert_to_f32_slice(out);
            }
            Self::Bf16 => set(out, words(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
            Self::F32 => set(out, words(bytes).map(f32::from_le_bytes)),
            Self::F64 => set(out, words(bytes).map(|b| f64::from_le_bytes(b) as f32)),
            Self::Int(..) => out.fill(0.0),
        }
    }

    /// Decodes integers to labels; `place` says where they are, for messages.
    pub(super) fn labels(self, bytes: &[u8], place: &str) -> Result<Vec<u32>> {
        let Self::Int(size, signed) = self else {
            let remedy = "convert them, for example with labels.astype('int64')";
            return Err(Error::data(place, "integers", format!("{self:?}"), remedy));
        };
        let value = |(row, bytes): (usize, &[u8])| {
            let mut wide = [0_u8; 8];
            wide[..size].copy_from_slice(bytes);
            let raw = u64::from_le_bytes(wide);
            let shift = 64 - 8 * size as u32;
            let value =
                if signed { i128::from((raw << shift) as i64 >> shift) } else { i128::from(raw) };
            u32::try_from(value).map_err(|_source| bad_label(&format!("{place}, row {row}"), value))
        };
        bytes.chunks_exact(size).enumerate().map(value).collect()
    }
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks::<N>().0.iter().copied()
}

fn set(out: &mut [f32], values: impl Iterator<Item = f32>) {
    for (slot, value) in out.iter_mut().zip(values) {
        *slot = value;
    }
}

fn bad_label(place: &str, found: impl ToString) -> Error {
    Error::data(place, "a class index 0, 1, 2, …", found.to_string(), "")
}

/// Parses a label written as text.
pub(super) fn label_text(text: &str, place: &str) -> Result<u32> {
    let whole = text.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && (0.0..4e9).contains(v));
    text.parse().ok().or(whole.map(|v| v as u32)).ok_or_else(|| bad_label(place, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_float_type_gives_one_and_a_half() {
        for (dtype, bytes) in [
            (Dtype::F16, f16::from_f32(1.5).to_le_bytes().to_vec()),
            (Dtype::Bf16, bf16::from_f32(1.5).to_le_bytes().to_vec()),
            (Dtype::F32, 1.5_f32.to_le_bytes().to_vec()),
            (Dtype::F64, 1.5_f64.to_le_bytes().to_vec()),
        ] {
            // More numbers than a vector register holds, at an odd address.
            let bytes = [vec![0], bytes.repeat(37)].concat();
            let mut out = [0.0; 37];
            dtype.floats(&bytes[1..], &mut out);
            assert_eq!(out, [1.5; 37]);
        }
    }

    #[test]
    fn every_integer_type_gives_a_label_and_negative_ones_are_refused() {
        for size in [1, 2, 4, 8] {
            for signed in [false, true] {
                let bytes = [&7_u64.to_le_bytes()[..size], &90_u64.to_le_bytes()[..size]].concat();
                assert_eq!(Dtype::Int(size, signed).labels(&bytes, "").unwrap(), [7, 90]);
            }
            let minus = (-1_i64).to_le_bytes();
            let error = Dtype::Int(size, true).labels(&minus[..size], "x: labels").unwrap_err();
            assert_eq!(
                error.to_string(),
                "x: labels, row 0: expected a class index 0, 1, 2, …, found -1"
            );
        }
        assert_eq!(label_text("3.0", "").unwrap(), 3);
        assert!(label_text("3.5", "").is_err() && label_text("cat", "").is_err());
    }
}
