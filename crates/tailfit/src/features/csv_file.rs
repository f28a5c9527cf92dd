//! CSV: one sample per line, with the label in one column.
//!
//! Nothing is guessed in silence: a header is either `0,1,2,…`, or has a column for the label, or is
//! all words; the first line is a sample only if all of it are numbers; and a column that counts the
//! samples is refused, because a network never made it.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use csv::StringRecord;

use super::decode::Dtype;
use super::labels::Labels;
use super::raw::{Asked, Raw};
use super::stored::Stored;
use crate::error::{Error, Result, listed};
use crate::files::Source;

const LABEL_COLUMNS: [&str; 5] = ["label", "labels", "y", "target", "class"];

const WITHOUT_INDEX: &str = "leave it out, in pandas by to_csv(path, index=False)";

pub(super) fn read(source: Source, place: &str, asked: Asked<'_>) -> Result<Raw> {
    let place = place.to_owned();
    let mut line = Vec::new();
    BufReader::new(source.reader()).read_until(b'\n', &mut line)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter(&line))
        .trim(csv::Trim::All)
        .from_reader(source.reader());
    let mut records = reader
        .records()
        .map(|record| record.map_err(|e| Error::data(&place, "lines of equal length", e, "")));
    let first = records.next().transpose()?.unwrap_or_default();
    let width = first.len();
    if width == 0 {
        return Err(Error::data(place, "at least one sample", "an empty file", ""));
    }
    let columns = Columns::of(&first, asked, &place)?;
    let sample = columns.names.is_none().then_some(Ok(first));
    let (mut bytes, mut labels, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    let mut groups = Vec::new();
    let mut counts_samples = vec![true; width];
    let mut n = 0_usize;
    for record in sample.into_iter().chain(records) {
        let record = record?;
        for (column, field) in record.iter().enumerate() {
            if Some(column) == columns.label {
                labels.push(field.to_owned());
                lines.push(record.position().map_or(0, csv::Position::line));
            } else if Some(column) == columns.group {
                if field.is_empty() {
                    let remedy = "give a sample that belongs to no other a group of its own";
                    let place = at(&place, &record, column);
                    return Err(Error::data(place, "a group", "none", remedy));
                }
                groups.push(field.to_owned());
            } else if !columns.ignored.contains(&column) {
                let value = field
                    .parse::<f64>()
                    .map_err(|_source| no_number(field, at(&place, &record, column)))?;
                counts_samples[column] &= value == n as f64;
                bytes.extend((value as f32).to_le_bytes());
            }
        }
        n += 1;
    }
    let is_feature = |column: &usize| {
        let other = [columns.label, columns.group].contains(&Some(*column));
        !other && !columns.ignored.contains(column)
    };
    let features: Vec<usize> = (0..width).filter(is_feature).collect();
    if n > 2
        && let Some(column) = features.iter().find(|&&column| counts_samples[column])
    {
        let place = format!("{place} column {}", column + 1);
        let found = format!("one that counts the samples, 0 to {}", n - 1);
        return Err(Error::data(place, "features", found, WITHOUT_INDEX));
    }
    let names = columns.names.as_ref();
    let names = names.map(|names| features.iter().map(|&column| names[column].clone()).collect());
    let source = Arc::new(Source::Memory(bytes));
    let shape = vec![n, features.len()];
    let line_of = |row: usize| match columns.label {
        Some(column) => format!("{place} line {}, column {}", lines[row], column + 1),
        None => place.clone(),
    };
    let labels = columns.label.map(|_| Labels::from_text(labels, line_of)).transpose()?;
    let features = Stored { source, at: 0, dtype: Dtype::F32, shape, place };
    let groups = columns.group.map(|_| groups);
    Ok(Raw { features: Some(features), columns: names, labels, groups, ..Raw::default() })
}

/// What the first line says of the columns.
#[derive(Debug, Default)]
struct Columns {
    /// The names, if the first line is a header.
    names: Option<Vec<String>>,
    /// The column of the labels, unless they are in another file.
    label: Option<usize>,
    /// The column of the groups, if there is one.
    group: Option<usize>,
    /// Columns of labels that are in another file.
    ignored: Vec<usize>,
}

impl Columns {
    fn of(first: &StringRecord, asked: Asked<'_>, place: &str) -> Result<Self> {
        let columns = Self::of_labels(first, asked, place)?;
        let Some(wanted) = asked.group_column else { return Ok(columns) };
        let by_name = first.iter().position(|name| name == wanted);
        let group = match columns.names {
            Some(_) => by_name,
            None => wanted.parse().ok().filter(|&column: &usize| column < first.len()),
        };
        let Some(group) = group.filter(|group| Some(*group) != columns.label) else {
            let expected = "a column of groups of that name, other than the labels";
            let names: Vec<String> = first.iter().map(str::to_owned).collect();
            let found = format!("`{wanted}` beside {}", listed(&names));
            let error = Error::data(at(place, first, 0), expected, found, "");
            return Err(error.answered_by("group_column"));
        };
        Ok(Self { group: Some(group), ..columns })
    }

    fn of_labels(first: &StringRecord, asked: Asked<'_>, place: &str) -> Result<Self> {
        let at = |column| at(place, first, column);
        let is_feature = |name: &str| asked.features.is_some_and(|of| of.iter().any(|f| f == name));
        let is_label = |name: &str| match asked.label_column {
            Some(column) => name == column,
            None => is_label(name) && !is_feature(name),
        };
        let known: Vec<usize> = (0..first.len()).filter(|&i| is_label(&first[i])).collect();
        let is_number = |field: &str| field.parse::<f64>().is_ok();
        let words = first.iter().filter(|field| !is_number(field)).count();
        let counted = counts(first);
        let last = first.len().saturating_sub(1);
        let is_header = counted || !known.is_empty() || words == first.len();
        if !is_header {
            let label = match asked.label_column.filter(|_| !asked.labels_elsewhere) {
                Some(number) => number.parse().ok().filter(|&column: &usize| column <= last),
                None => Some(last),
            };
            let Some(label) = label else {
                let expected = "a column of that name, or a number below that of columns";
                let found = format!("`{}`", asked.label_column.unwrap_or_default());
                return Err(Error::data(at(0), expected, found, "").answered_by("label_column"));
            };
            let label = (!asked.labels_elsewhere).then_some(label);
            let group = asked.group_column.and_then(|column| column.parse().ok());
            let other = |column: usize| [label, group].contains(&Some(column));
            let bad = |&column: &usize| !other(column) && !is_number(&first[column]);
            if let Some(column) = (0..first.len()).find(bad) {
                return Err(no_number(&first[column], at(column)));
            }
            return Ok(Self { label, ..Self::default() });
        }
        if let Some(column) = first.iter().position(is_index) {
            let found = format!("`{}`, an index", &first[column]);
            return Err(Error::data(at(column), "a feature or the label", found, WITHOUT_INDEX));
        }
        let names = Some(first.iter().map(str::to_owned).collect());
        if asked.labels_elsewhere {
            return Ok(Self { names, ignored: known, ..Self::default() });
        }
        let label = match known.as_slice() {
            [column] => Some(*column),
            // pandas' header of a table without names.
            [] if counted && asked.label_column.is_none() => Some(last),
            found => {
                let found = if found.is_empty() {
                    "none".to_owned()
                } else {
                    found.iter().map(|&i| &first[i]).collect::<Vec<_>>().join(" and ")
                };
                let remedy = "name the column of the labels";
                let expected = match asked.label_column {
                    Some(column) => format!("one column named `{column}`"),
                    None => format!("one column named {}", LABEL_COLUMNS.join(", ")),
                };
                let error = Error::data(at(0), expected, found, remedy);
                return Err(error.answered_by("label_column"));
            }
        };
        Ok(Self { names, label, ..Self::default() })
    }
}

fn at(place: &str, record: &StringRecord, column: usize) -> String {
    let line = record.position().map_or(1, csv::Position::line);
    format!("{place} line {line}, column {}", column + 1)
}

/// Tabs and semicolons are not part of a number, so one outside quotes separates.
fn delimiter(line: &[u8]) -> u8 {
    let mut quoted = false;
    let outside: Vec<u8> = line
        .iter()
        .copied()
        .filter(|&byte| {
            quoted ^= byte == b'"';
            !quoted
        })
        .collect();
    [b'\t', b';'].into_iter().find(|byte| outside.contains(byte)).unwrap_or(b',')
}

/// Whether this is pandas' header of a table without names, with or without its index.
fn counts(first: &StringRecord) -> bool {
    let names = first.iter().skip(usize::from(first.get(0) == Some("")));
    first.len() > 2 && names.enumerate().all(|(i, name)| name == i.to_string())
}

fn is_label(name: &str) -> bool {
    LABEL_COLUMNS.contains(&name.to_lowercase().as_str())
}

fn is_index(name: &str) -> bool {
    let name = name.to_lowercase();
    name.is_empty() || name == "index" || name.starts_with("unnamed:")
}

fn no_number(field: &str, place: String) -> Error {
    let remedy = if field.contains(',') { "write numbers with a decimal point" } else { "" };
    Error::data(place, "a number", format!("`{field}`"), remedy)
}
