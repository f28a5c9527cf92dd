//! npy files. The header is checked against the actual size of the file before anything is
//! allocated; object arrays (pickles) are refused.

use std::sync::Arc;

use super::decode::Dtype;
use super::raw::{Asked, Raw};
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

pub(super) fn read(source: Source, place: &str, asked: Asked<'_>) -> Result<Raw> {
    if asked.group_column.is_some() {
        let remedy = "save features, labels and groups in one npz file";
        let expected = "a file that can hold groups";
        return Err(Error::data(place, expected, "npy", remedy).answered_by("group_column"));
    }
    Ok(Raw { features: Some(parse(source, place)?), ..Raw::default() })
}

pub(super) fn parse(source: Source, place: &str) -> Result<Stored> {
    let bad = |expected: &str, found: String| Error::data(place, expected, found, "");
    let total = source.len();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let start = source.bytes(0, total.min(12) as usize, &mut first)?;
    let header_at = match start {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, ..] => 10,
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, ..] => 12,
        _ => return Err(bad("an npy file of version 1, 2 or 3", "other bytes".to_owned())),
    };
    let length = start
        .get(8..header_at)
        .map(|le| le.iter().rev().fold(0_usize, |length, &byte| length << 8 | usize::from(byte)))
        .filter(|&length| (header_at + length) as u64 <= total);
    let Some(length) = length else {
        return Err(bad(
            "a header within the file",
            format!("one reaching past its {total} bytes"),
        ));
    };
    let header = source.bytes(header_at as u64, length, &mut second)?;
    let header = String::from_utf8_lossy(header).trim().to_owned();
    if !header.starts_with('{') || !header.ends_with('}') {
        return Err(bad("a header that is a dictionary", format!("`{header}`")));
    }
    let at = (header_at + length) as u64;

    let dtype = dtype(field(&header, "descr", place)?, place)?;
    let shape_text = field(&header, "shape", place)?;
    let inside = shape_text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    let shape: Vec<usize> = inside
        .ok_or_else(|| bad("a shape in brackets", shape_text.to_owned()))?
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            part.parse().map_err(|_source| bad("a shape of whole numbers", shape_text.to_owned()))
        })
        .collect::<Result<_>>()?;
    let size = shape.iter().try_fold(dtype.size(), |size, &n| size.checked_mul(n));
    let Some(size) = size.filter(|&size| size as u64 == total - at) else {
        let expected = format!(
            "{} bytes of data for shape {shape:?}",
            size.map_or("countless".to_owned(), |s| s.to_string())
        );
        let remedy = "the file is cut off or damaged; write it again";
        return Err(Error::data(place, expected, total - at, remedy));
    };
    let (source, at) = match field(&header, "fortran_order", place)? {
        "False" => (source, at),
        other if other != "True" => {
            return Err(bad("fortran_order True or False", other.to_owned()));
        }
        _ if shape.len() < 2 => (source, at),
        _ if shape.len() == 2 => {
            let data = source.bytes(at, size, &mut first)?;
            (Source::Memory(transposed(data, &shape, dtype.size())), 0)
        }
        _ => {
            let remedy = "save np.ascontiguousarray(x)";
            return Err(Error::data(place, "C order", "Fortran order", remedy));
        }
    };
    Ok(Stored { source: Arc::new(source), at, dtype, shape, place: place.to_owned() })
}

/// The value of a key in the header, a Python dictionary as numpy writes it.
fn field<'a>(header: &'a str, key: &str, place: &str) -> Result<&'a str> {
    let value = header.split_once(&format!("'{key}'")).and_then(|(_, rest)| {
        let rest = rest.trim_start().strip_prefix(':')?.trim_start();
        if rest.starts_with('(') {
            return rest.split_inclusive(')').next();
        }
        if rest.starts_with('[') {
            return rest.split_inclusive(']').next();
        }
        rest.split([',', '}']).next().map(|v| v.trim().trim_matches('\''))
    });
    value.ok_or_else(|| Error::data(place, format!("a header with '{key}'"), header.trim(), ""))
}

fn dtype(descr: &str, place: &str) -> Result<Dtype> {
    let refused = |remedy: &str| {
        Err(Error::data(
            place,
            "f16, bf16, f32, f64 or integers, little-endian",
            format!("type {descr}"),
            remedy,
        ))
    };
    Ok(match descr.trim_start_matches(['<', '|', '=']) {
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        // What numpy writes for ml_dtypes's bfloat16 arrays.
        "V2" => Dtype::Bf16,
        "i1" => Dtype::Int(1, true),
        "u1" | "b1" => Dtype::Int(1, false),
        "i2" => Dtype::Int(2, true),
        "u2" => Dtype::Int(2, false),
        "i4" => Dtype::Int(4, true),
        "u4" => Dtype::Int(4, false),
        "i8" => Dtype::Int(8, true),
        "u8" => Dtype::Int(8, false),
        "O" => {
            return refused("object arrays are pickles and are not read; save x.astype('float32')");
        }
        other if other.starts_with('>') => {
            return refused("save x.astype(x.dtype.newbyteorder('<'))");
        }
        other => match (other.get(..1), other.get(1..).and_then(|n| n.parse().ok())) {
            (Some(kind @ ("U" | "S")), Some(length @ 1..=1024)) => {
                Dtype::Text { length, wide: kind == "U" }
            }
            _ => return refused("save x.astype('float32')"),
        },
    })
}

fn transposed(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let (rows, columns) = (shape[0], shape[1]);
    let mut out = Vec::with_capacity(data.len());
    for row in 0..rows {
        for column in 0..columns {
            let at = (column * rows + row) * size;
            out.extend_from_slice(&data[at..at + size]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(header: &str, data: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    #[test]
    fn c_and_fortran_order_give_the_same_matrix() {
        let c: Vec<u8> =
            [1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let f: Vec<u8> =
            [1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        for (order, data) in [("False", c), ("True", f)] {
            let header = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': (2, 3), }}");
            let array = parse(Source::Memory(npy(&header, &data)), "").unwrap();
            assert_eq!(array.shape, [2, 3]);
            assert_eq!(array.floats().unwrap(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        }
    }

    #[test]
    fn damaged_files_are_refused_before_anything_is_allocated() {
        let message =
            |bytes: &[u8]| parse(Source::Memory(bytes.to_vec()), "x.npy").unwrap_err().to_string();
        let header = |descr: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}")
        };
        assert!(message(b"PK\x03\x04").contains("npy file"));
        assert!(message(b"\x93NUMPY\x01\x00\xff\xffx").contains("past its 11 bytes"));
        assert!(message(&npy(&header("<f4", "3,"), &[0; 8])).contains("12 bytes of data"));
        assert!(message(&npy(&header("<f8", "4611686018427387904, 8"), &[])).contains("countless"));
        assert!(message(&npy(&header("|O", "3,"), &[0; 24])).contains("pickles"));
        assert!(message(&npy(&header(">f4", "1,"), &[0; 4])).contains("little-endian"));
        assert!(message(&npy("{'shape': (1,)}", &[])).contains("'descr'"));
        let order = "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }";
        assert!(message(&npy(order, &[0; 4])).contains("True or False, found 0"));
        let garbage = header("<f4", "1,") + " and more";
        assert!(message(&npy(&garbage, &[0; 4])).contains("a dictionary"));
    }
}
