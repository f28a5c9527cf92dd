//! Predictions as files.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::Predictions;
use crate::error::{Error, Result};
use crate::files::quoted;

impl Predictions {
    /// As CSV: `row,class,name,probability`, then `class_2,name_2,probability_2` and so on for further
    /// classes; without names if there are none.
    pub fn csv(&self, names: Option<&[String]>) -> String {
        let mut out = "row".to_owned();
        for rank in 1..=self.top {
            let end = if rank == 1 { String::new() } else { format!("_{rank}") };
            let name = if names.is_some() { format!("name{end},") } else { String::new() };
            let _ = write!(out, ",class{end},{name}probability{end}");
        }
        out.push('\n');
        for row in 0..self.len() {
            let _ = write!(out, "{row}");
            for at in row * self.top..(row + 1) * self.top {
                let class = self.classes[at];
                let _ = write!(out, ",{class},");
                if let Some(names) = names {
                    let name = names.get(class as usize).map_or("", String::as_str);
                    let _ = write!(out, "{},", quoted(name));
                }
                let _ = write!(out, "{:.6}", self.probabilities[at]);
            }
            out.push('\n');
        }
        out
    }

    /// As npz: `classes`, i64, and `probabilities`, f32, each `[N, top]`.
    ///
    /// # Errors
    ///
    /// If it would be larger than a zip file can be.
    pub fn npz(&self) -> Result<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(self.classes.len() > 1 << 28);
        let classes = self.classes.iter().flat_map(|&class| i64::from(class).to_le_bytes());
        let probabilities = self.probabilities.iter().flat_map(|p| p.to_le_bytes());
        let arrays: [(&str, &str, Vec<u8>); 2] = [
            ("classes.npy", "<i8", classes.collect()),
            ("probabilities.npy", "<f4", probabilities.collect()),
        ];
        let failed = |error: &dyn std::fmt::Display| Error::data("npz", "a whole file", error, "");
        for (name, dtype, bytes) in arrays {
            zip.start_file(name, options).map_err(|error| failed(&error))?;
            zip.write_all(&npy_header(dtype, [self.len(), self.top]))?;
            zip.write_all(&bytes)?;
        }
        Ok(zip.finish().map_err(|error| failed(&error))?.into_inner())
    }
}

/// The header of an npy file, padded so that the values are aligned to 64 bytes.
fn npy_header(dtype: &str, [n, m]: [usize; 2]) -> Vec<u8> {
    let mut text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({n}, {m}), }}");
    let before = 10 + text.len() + 1;
    text.extend(std::iter::repeat_n(' ', before.next_multiple_of(64) - before));
    text.push('\n');
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00".as_slice(), &length, text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;
    use ndarray::array;

    #[test]
    fn csv_and_npz_hold_the_same() {
        let predictions = super::super::predict(array![[0.25, 0.75], [0.5, 0.5]].view(), 2);
        let names = ["owl, snowy".to_owned(), "emu".to_owned()];
        let csv = predictions.csv(Some(&names));
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines[0], "row,class,name,probability,class_2,name_2,probability_2");
        assert_eq!(lines[1], "0,1,emu,0.750000,0,\"owl, snowy\",0.250000");
        let mut zip = zip::ZipArchive::new(Cursor::new(predictions.npz().unwrap())).unwrap();
        let mut bytes = Vec::new();
        std::io::copy(&mut zip.by_name("probabilities.npy").unwrap(), &mut bytes).unwrap();
        // Read back by the reader of features, with labels beside them.
        let folder = tempfile::tempdir().unwrap();
        let (path, labels) = (folder.path().join("p.npy"), folder.path().join("y.txt"));
        fs_err::write(&path, bytes).unwrap();
        fs_err::write(&labels, "0\n1\n").unwrap();
        let read = Features::load(&path, Some(&labels)).unwrap();
        let values: Vec<f32> = read.plain.in_memory().unwrap().iter().copied().collect();
        assert_eq!(values, predictions.probabilities);
    }
}
