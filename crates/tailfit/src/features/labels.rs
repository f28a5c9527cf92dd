//! Labels as people write them: class indices, names, or a column for each class.

use super::decode::Dtype;
use super::stored::Stored;
use crate::error::{Error, Result};

/// Labels of the samples of a file, before anything is known of the classes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Labels {
    /// Class numbers.
    Numbers(Vec<u32>),
    /// Class names.
    Names(Vec<String>),
}

impl Labels {
    /// From text, one label each: all are whole numbers, or none is a number.
    pub(super) fn from_text(texts: Vec<String>, place: impl Fn(usize) -> String) -> Result<Self> {
        let is_number = |text: &String| text.parse::<f64>().is_ok();
        let first = texts.first().is_some_and(is_number);
        if let Some(row) = texts.iter().position(String::is_empty) {
            return Err(Error::data(place(row), "a label", "none", "leave the sample out"));
        }
        if let Some(row) = texts.iter().position(|text| is_number(text) != first) {
            let expected = if first { "a class index, as before" } else { "a name, as before" };
            let remedy = "number the classes, in pandas by pd.factorize(labels, sort=True)[0]";
            return Err(Error::data(place(row), expected, format!("`{}`", texts[row]), remedy));
        }
        if !first {
            return Ok(Self::Names(texts));
        }
        let numbers = texts.iter().enumerate().map(|(row, text)| {
            text.parse().ok().map_or_else(
                || whole(text.parse().unwrap_or(f64::NAN), &|| place(row)),
                |number: i128| index(number, &|| place(row)),
            )
        });
        numbers.collect::<Result<_>>().map(Self::Numbers)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Names(names) => names.len(),
        }
    }

    /// Adds those of the next file.
    pub(super) fn extend(&mut self, other: Self, place: &str) -> Result<()> {
        match (self, other) {
            (Self::Numbers(all), Self::Numbers(more)) => all.extend(more),
            (Self::Names(all), Self::Names(more)) => all.extend(more),
            _ => {
                let expected = "labels like those of the first file";
                return Err(Error::data(place, expected, "names beside numbers", ""));
            }
        }
        Ok(())
    }

    /// Class indices from 0, when classes are numbered from `base`; and the names, sorted, if the
    /// labels are names.
    pub(super) fn indices(self, base: u32, place: &str) -> Result<(Vec<u32>, Option<Vec<String>>)> {
        match self {
            Self::Numbers(numbers) => {
                let of = |(row, label): (usize, &u32)| {
                    label.checked_sub(base).ok_or_else(|| {
                        let place = format!("{place}: labels, row {row}");
                        Error::data(place, format!("a label from {base}"), label, "")
                            .answered_by("label_base")
                    })
                };
                Ok((numbers.iter().enumerate().map(of).collect::<Result<_>>()?, None))
            }
            Self::Names(labels) => {
                let mut names = labels.clone();
                names.sort_unstable();
                names.dedup();
                let of = |label| names.binary_search(label).unwrap_or(0) as u32;
                Ok((labels.iter().map(of).collect(), Some(names)))
            }
        }
    }
}

impl Stored {
    /// The values as labels: integers, whole numbers or text `[N]`, or a column for each class with
    /// a single 1 in each row, `[N, K]`.
    pub(super) fn labels(&self) -> Result<Labels> {
        let place = &self.place;
        let at = |row: usize| format!("{place}, row {row}");
        let trailing = self.shape.iter().rev().take_while(|&&size| size == 1).count();
        match self.shape[..self.shape.len() - trailing.min(self.shape.len().max(1) - 1)] {
            [_] if matches!(self.dtype, Dtype::Text { .. }) => Labels::from_text(self.texts()?, at),
            [_] => self.each_row(1, |row, value| whole(value[0], &|| at(row))),
            [_, k] if k > 1 && !matches!(self.dtype, Dtype::Text { .. }) => {
                self.each_row(k, |row, values| {
                    let hot = values.iter().position(|&value| value == 1.0);
                    let others = values.iter().filter(|&&value| value != 0.0).count();
                    hot.filter(|_| others == 1).map(|class| class as u32).ok_or_else(|| {
                        let expected = "one class for each sample: [N], or one-hot [N, K]";
                        let found = format!("shape {:?} with other values", self.shape);
                        Error::data(at(row), expected, found, "save labels.argmax(axis=1)")
                    })
                })
            }
            _ => Err(Error::data(place, "shape [N]", format!("{:?}", self.shape), "")),
        }
    }

    /// A label for each row of `width` numbers.
    fn each_row(
        &self,
        width: usize,
        label: impl Fn(usize, &[f64]) -> Result<u32>,
    ) -> Result<Labels> {
        let mut labels = Vec::new();
        self.chunks(width, |bytes| {
            for values in self.dtype.wide(bytes).chunks_exact(width) {
                labels.push(label(labels.len(), values)?);
            }
            Ok(())
        })?;
        Ok(Labels::Numbers(labels))
    }

    /// The values as names of groups: text as it is, or whole numbers, `[N]`; by the names that a JSON
    /// list gives them, if there is one.
    pub(super) fn groups(&self, names: Option<&String>) -> Result<Vec<String>> {
        let place = &self.place;
        let size: usize = self.shape.iter().skip(1).product();
        if self.shape.is_empty() || size != 1 {
            return Err(Error::data(place, "shape [N]", format!("{:?}", self.shape), ""));
        }
        let groups = if matches!(self.dtype, Dtype::Text { .. }) {
            self.texts()?
        } else {
            let mut groups = Vec::new();
            self.chunks(1, |bytes| {
                for value in self.dtype.wide(bytes) {
                    if value.fract() != 0.0 || value.abs() >= 2_f64.powi(53) {
                        let place = format!("{place}, row {}", groups.len());
                        let expected = "a whole number below 2^53, or text";
                        return Err(Error::data(place, expected, value, "save groups as text"));
                    }
                    groups.push((value as i64).to_string());
                }
                Ok(())
            })?;
            groups
        };
        if let Some(row) = groups.iter().position(String::is_empty) {
            let remedy = "give a sample that belongs to no other a group of its own";
            return Err(Error::data(format!("{place}, row {row}"), "a group", "none", remedy));
        }
        let Some(names) = names else { return Ok(groups) };
        let place = format!("{place}: group_names");
        let names: Vec<String> = serde_json::from_str(names)
            .map_err(|error| Error::data(&place, "a JSON list of strings", error, ""))?;
        let name = |group: String| {
            let named = group.parse::<usize>().ok().and_then(|number| names.get(number));
            named.cloned().ok_or_else(|| {
                Error::data(&place, format!("a name for group {group}"), names.len(), "")
            })
        };
        groups.into_iter().map(name).collect()
    }

    fn texts(&self) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        self.chunks(1, |bytes| {
            texts.extend(self.dtype.texts(bytes));
            Ok(())
        })?;
        Ok(texts)
    }
}

fn whole(value: f64, place: &dyn Fn() -> String) -> Result<u32> {
    if value.fract() == 0.0 {
        index(value as i128, place)
    } else {
        let remedy = "number the classes 0, 1, 2, …; for names, save them as text";
        Err(Error::data(place(), "a class index 0, 1, 2, …", value, remedy))
    }
}

fn index(value: i128, place: &dyn Fn() -> String) -> Result<u32> {
    u32::try_from(value).map_err(|_source| {
        let ignored =
            "samples without a class are left out before: keep = y >= 0; x, y = x[keep], y[keep]";
        let remedy = if value < 0 { ignored } else { "" };
        Error::data(place(), "a class index 0, 1, 2, …", value, remedy)
    })
}
