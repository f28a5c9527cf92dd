//! From little-endian bytes of any number type to f32 features and u32 labels.

use half::{bf16, f16};

use crate::error::{Error, Result};

/// Number types that features and labels may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// Integer of this many bytes; signed or not.
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
}

/// An array as it stands in a file.
#[derive(Debug)]
pub(super) struct Tensor<'a> {
    pub(super) shape: Vec<usize>,
    pub(super) dtype: Dtype,
    pub(super) bytes: std::borrow::Cow<'a, [u8]>,
}

impl Tensor<'_> {
    /// Its values as f32, with its shape.
    pub(super) fn floats(&self, place: &str) -> Result<(Vec<usize>, Vec<f32>)> {
        let b = &self.bytes;
        let values = match self.dtype {
            Dtype::F16 => b.as_chunks().0.iter().map(|&c| f16::from_le_bytes(c).to_f32()).collect(),
            Dtype::Bf16 => {
                b.as_chunks().0.iter().map(|&c| bf16::from_le_bytes(c).to_f32()).collect()
            }
            Dtype::F32 => b.as_chunks().0.iter().map(|&c| f32::from_le_bytes(c)).collect(),
            Dtype::F64 => b.as_chunks().0.iter().map(|&c| f64::from_le_bytes(c) as f32).collect(),
            Dtype::Int(..) => {
                let found = format!("{:?}", self.dtype);
                return Err(Error::data(
                    place,
                    "features of type f16, bf16, f32 or f64",
                    found,
                    "",
                ));
            }
        };
        Ok((self.shape.clone(), values))
    }

    /// Its values as labels; one dimension, or two with one column.
    pub(super) fn labels(&self, place: &str) -> Result<Vec<u32>> {
        if !matches!(self.shape.as_slice(), [_] | [_, 1]) {
            let found = format!("{:?}", self.shape);
            return Err(Error::data(format!("{place}: labels"), "shape [N]", found, ""));
        }
        let Dtype::Int(size, signed) = self.dtype else {
            let found = format!("{:?}", self.dtype);
            let remedy = "convert them, such as labels.astype('int64')";
            return Err(Error::data(format!("{place}: labels"), "integers", found, remedy));
        };
        let value = |(row, bytes): (usize, &[u8])| {
            let mut wide = [0_u8; 8];
            wide[..size].copy_from_slice(bytes);
            let raw = u64::from_le_bytes(wide);
            let shift = 64 - 8 * size as u32;
            let value =
                if signed { i128::from((raw << shift) as i64 >> shift) } else { i128::from(raw) };
            u32::try_from(value)
                .map_err(|_source| bad_label(&format!("{place}: labels, row {row}"), value))
        };
        self.bytes.chunks_exact(size).enumerate().map(value).collect()
    }
}

fn bad_label(place: &str, found: impl ToString) -> Error {
    Error::data(place, "a class index 0, 1, 2, …", found.to_string(), "")
}

/// A label written as text.
pub(super) fn label_text(text: &str, place: &str) -> Result<u32> {
    let whole = text.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && (0.0..4e9).contains(v));
    text.parse().ok().or(whole.map(|v| v as u32)).ok_or_else(|| bad_label(place, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn tensor(dtype: Dtype, bytes: &[u8]) -> Tensor<'_> {
        Tensor { shape: vec![bytes.len() / dtype.size()], dtype, bytes: Cow::Borrowed(bytes) }
    }

    #[test]
    fn every_float_type_gives_one_and_a_half() {
        for (dtype, bytes) in [
            (Dtype::F16, f16::from_f32(1.5).to_le_bytes().to_vec()),
            (Dtype::Bf16, bf16::from_f32(1.5).to_le_bytes().to_vec()),
            (Dtype::F32, 1.5_f32.to_le_bytes().to_vec()),
            (Dtype::F64, 1.5_f64.to_le_bytes().to_vec()),
        ] {
            assert_eq!(tensor(dtype, &bytes).floats("").unwrap(), (vec![1], vec![1.5]));
        }
    }

    #[test]
    fn every_integer_type_gives_a_label_and_negative_ones_are_refused() {
        for size in [1, 2, 4, 8] {
            for signed in [false, true] {
                let bytes = [&7_u64.to_le_bytes()[..size], &90_u64.to_le_bytes()[..size]].concat();
                let labels = tensor(Dtype::Int(size, signed), &bytes).labels("").unwrap();
                assert_eq!(labels, [7, 90]);
            }
            let minus = (-1_i64).to_le_bytes();
            let error = tensor(Dtype::Int(size, true), &minus[..size]).labels("x").unwrap_err();
            assert_eq!(
                error.to_string(),
                "x: labels, row 0: expected a class index 0, 1, 2, …, found -1"
            );
        }
        assert_eq!(label_text("3.0", "").unwrap(), 3);
        assert!(label_text("3.5", "").is_err() && label_text("cat", "").is_err());
    }
}
