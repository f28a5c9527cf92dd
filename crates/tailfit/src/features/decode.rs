//! Decodes little-endian bytes of any number type.

use std::fmt;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// Types of features and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// An integer of this many bytes, and whether it is signed.
    Int(usize, bool),
    /// Text of this many characters, of one byte or, as UTF-32, of four.
    Text {
        length: usize,
        wide: bool,
    },
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::F16 => f.write_str("f16"),
            Self::Bf16 => f.write_str("bf16"),
            Self::F32 => f.write_str("f32"),
            Self::F64 => f.write_str("f64"),
            Self::Int(size, true) => write!(f, "i{}", 8 * size),
            Self::Int(size, false) => write!(f, "u{}", 8 * size),
            Self::Text { .. } => f.write_str("text"),
        }
    }
}

impl Dtype {
    /// Bytes of one value, at least 1.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
            Self::Int(size, _) => size,
            Self::Text { length, wide } => length * if wide { 4 } else { 1 },
        }
    }

    pub(super) fn is_float(self) -> bool {
        !matches!(self, Self::Int(..) | Self::Text { .. })
    }

    /// Decodes numbers to f32, as many as `out` has room for. Integers and text are not features;
    /// they become 0.
    pub(super) fn floats(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F16 => {
                let halves: Vec<f16> = words(bytes).map(f16::from_le_bytes).collect();
                halves.convert_to_f32_slice(out);
            }
            Self::Bf16 => set(out, words(bytes).map(|b| bf16::from_le_bytes(b).to_f32())),
            Self::F32 => set(out, words(bytes).map(f32::from_le_bytes)),
            Self::F64 => set(out, words(bytes).map(|b| f64::from_le_bytes(b) as f32)),
            Self::Int(..) | Self::Text { .. } => out.fill(0.0),
        }
    }

    /// Decodes numbers; integers beyond 2^53 are rounded.
    pub(super) fn wide(self, bytes: &[u8]) -> Vec<f64> {
        match self {
            Self::F64 => words(bytes).map(f64::from_le_bytes).collect(),
            Self::Int(size, signed) => {
                let value = |bytes: &[u8]| {
                    let mut wide = [0_u8; 8];
                    wide[..size].copy_from_slice(bytes);
                    let raw = u64::from_le_bytes(wide);
                    let shift = 64 - 8 * size as u32;
                    if signed { ((raw << shift) as i64 >> shift) as f64 } else { raw as f64 }
                };
                bytes.chunks_exact(size).map(value).collect()
            }
            _ => {
                let mut out = vec![0.0; bytes.len() / self.size()];
                self.floats(bytes, &mut out);
                out.into_iter().map(f64::from).collect()
            }
        }
    }

    /// Decodes text, which ends at the first zero; what is no text becomes �.
    pub(super) fn texts(self, bytes: &[u8]) -> Vec<String> {
        let is_wide = matches!(self, Self::Text { wide: true, .. });
        let text = |bytes: &[u8]| {
            if is_wide {
                let codes = words(bytes).map(u32::from_le_bytes).take_while(|&code| code != 0);
                return codes.map(|code| char::from_u32(code).unwrap_or('\u{fffd}')).collect();
            }
            let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
            String::from_utf8_lossy(&bytes[..end]).into_owned()
        };
        bytes.chunks_exact(self.size()).map(text).collect()
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
            assert_eq!(dtype.wide(&bytes[1..]), [1.5; 37]);
        }
    }

    #[test]
    fn every_integer_type_gives_its_number_with_its_sign() {
        for size in [1, 2, 4, 8] {
            let bytes = [&7_u64.to_le_bytes()[..size], &(-1_i64).to_le_bytes()[..size]].concat();
            assert_eq!(Dtype::Int(size, true).wide(&bytes), [7.0, -1.0]);
            let top = 2_f64.powi(8 * size as i32) - 1.0;
            assert_eq!(Dtype::Int(size, false).wide(&bytes), [7.0, top]);
        }
    }

    #[test]
    fn text_of_both_kinds_ends_at_its_zero() {
        let narrow = Dtype::Text { length: 3, wide: false };
        assert_eq!(narrow.texts(b"ab\0owl\xff\0\0"), ["ab", "owl", "\u{fffd}"]);
        let codes = ['ä', 'b', '\0', 'c', '\0', '\0'].map(u32::from);
        let bytes: Vec<u8> = codes.iter().flat_map(|code| code.to_le_bytes()).collect();
        assert_eq!(Dtype::Text { length: 3, wide: true }.texts(&bytes), ["äb", "c"]);
    }
}
