//! CSV: one sample per line, with the label in one column.

use std::path::Path;
use std::sync::Arc;

use super::decode;
use super::decode::Dtype;
use super::raw::Raw;
use super::stored::Stored;
use crate::error::{Error, Result};
use crate::files::Source;

const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "y", "target", "class"];

pub(super) fn read(path: &Path, _mapped: bool) -> Result<Raw> {
    let place = path.display().to_string();
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(fs_err::File::open(path)?);
    let (mut bytes, mut labels) = (Vec::new(), Vec::new());
    let (mut columns, mut label_at) = (0, 0);
    for (line, record) in reader.records().enumerate() {
        let record =
            record.map_err(|error| Error::data(&place, "lines of equal length", error, ""))?;
        if line == 0 {
            columns = record.len();
            label_at = columns.saturating_sub(1);
            if record.iter().any(|field| field.parse::<f64>().is_err()) {
                let named = |field: &str| LABEL_COLUMNS.contains(&field.to_lowercase().as_str());
                label_at = record.iter().position(named).unwrap_or(label_at);
                continue;
            }
        }
        for (column, field) in record.iter().enumerate() {
            let here = || format!("{place} line {}, column {}", line + 1, column + 1);
            if column == label_at {
                labels.push(decode::label_text(field, &here())?);
            } else {
                let value = field
                    .parse::<f64>()
                    .map_err(|_source| Error::data(here(), "a number", format!("`{field}`"), ""))?;
                bytes.extend((value as f32).to_le_bytes());
            }
        }
    }
    let shape = vec![labels.len(), columns.saturating_sub(1)];
    let source = Arc::new(Source::Memory(bytes));
    let features = Stored { source, at: 0, dtype: Dtype::F32, shape, place };
    Ok(Raw { features: Some(features), labels: Some(labels), ..Raw::default() })
}
