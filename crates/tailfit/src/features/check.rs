//! Checks that feature sets match each other.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use ndarray::{ArrayView1, Axis};

use super::{Features, HeadFile, Matrix};
use crate::error::{Error, Result, nearest};

/// Checks that `other` has the same number of features as `train`, and only its classes.
///
/// # Errors
///
/// If D differs, or a label of `other` is not a class of `train`.
pub fn check_pair(train: &Features, other: &Features, n_classes: usize, name: &str) -> Result<()> {
    if train.dim() != other.dim() {
        return Err(Error::data(
            name,
            format!("{} features per sample, as in training", train.dim()),
            other.dim(),
            "extract both with the same backbone",
        ));
    }
    match other.labels.iter().position(|&label| label as usize >= n_classes) {
        None => Ok(()),
        Some(row) => Err(Error::data(
            format!("{name}: labels, row {row}"),
            format!("a class below {n_classes}, the number of classes in training"),
            other.labels[row],
            "a class that is never trained cannot be scored; drop it or add training samples",
        )),
    }
}

impl Features {
    /// The same with the classes numbered in the order of `names`: labels that are names go by
    /// them, as do numbers whose own file names its classes in another order; other numbers are
    /// taken as they are.
    ///
    /// # Errors
    ///
    /// If a sample's class has a name that is not among them.
    pub fn in_classes_of(self, names: &[String], place: &str) -> Result<Self> {
        let class_names = Some(names.to_vec());
        let Some(own) = self.class_names.as_deref().filter(|own| *own != names) else {
            return Ok(Self { class_names, ..self });
        };
        let classes: HashMap<&str, u32> =
            names.iter().enumerate().map(|(class, name)| (name.as_str(), class as u32)).collect();
        let new = |(row, &label): (usize, &u32)| {
            let name = own.get(label as usize).map(String::as_str);
            name.and_then(|name| classes.get(name).copied()).ok_or_else(|| {
                let hint = nearest(name.unwrap_or_default(), names.iter().map(String::as_str));
                Error::data(
                    format!("{place}: labels, row {row}"),
                    format!("the name of one of the {} classes", names.len()),
                    format!("`{}`", name.unwrap_or("one without a name")),
                    hint,
                )
            })
        };
        let labels = self.labels.iter().enumerate().map(new).collect::<Result<_>>()?;
        Ok(Self { labels, class_names, ..self })
    }

    /// The same with these names of classes, class 0 first: labels that are names are numbered by
    /// them.
    ///
    /// # Errors
    ///
    /// If labels are names, and one is not among these.
    pub fn with_class_names(self, names: Vec<String>, place: &str) -> Result<Self> {
        if self.named_by_label {
            return self.in_classes_of(&names, place);
        }
        Ok(Self { class_names: Some(names), ..self })
    }

    /// The same with classes and features in the order of `train`'s.
    pub(super) fn like(self, train: &Self, name: &str) -> Result<Self> {
        let set = self.in_order_of(train.columns.as_deref(), name)?;
        match &train.class_names {
            Some(_) if train.named_by_label && !set.named_by_label => {
                let expected = "names of classes, as in training";
                Err(Error::data(format!("{name}: labels"), expected, "numbers", ""))
            }
            Some(names) => set.in_classes_of(names, name),
            None if set.named_by_label => {
                let expected = "numbers of classes, as in training";
                Err(Error::data(format!("{name}: labels"), expected, "names", ""))
            }
            None => Ok(set),
        }
    }

    /// The same with classes and features in the order of a head's, whose classes have these names, if
    /// known; labels that are numbers are taken as they are.
    ///
    /// # Errors
    ///
    /// If D differs, or a label is not one of the head's classes.
    pub fn like_head(
        self,
        file: &HeadFile,
        class_names: Option<&[String]>,
        name: &str,
    ) -> Result<Self> {
        let set = self.in_order_of(file.columns().as_deref(), name)?;
        let set = match class_names {
            Some(names) => set.in_classes_of(names, name)?,
            None if set.named_by_label => {
                let expected = "numbers of classes, since the head's file names none";
                let error = Error::data(format!("{name}: labels"), expected, "names", "");
                return Err(error.answered_by("class_names"));
            }
            None => set,
        };
        let (k, d) = (file.head.n_classes(), file.head.dim());
        if set.dim() != d {
            let expected = format!("{d} features per sample, as the head has");
            let remedy = "extract them with the backbone that the head was trained on";
            return Err(Error::data(name, expected, set.dim(), remedy));
        }
        if let Some(row) = set.labels.iter().position(|&label| label as usize >= k) {
            let expected = format!("a class below {k}, the number of the head's classes");
            let place = format!("{name}: labels, row {row}");
            return Err(Error::data(place, expected, set.labels[row], "").answered_by("label_base"));
        }
        Ok(set)
    }

    /// The same with the features in the order of `wanted`, if both are named.
    ///
    /// # Errors
    ///
    /// If the names are not the same, or cannot be told apart.
    pub(super) fn in_order_of(self, wanted: Option<&[String]>, name: &str) -> Result<Self> {
        let (Some(wanted), Some(columns)) = (wanted, &self.columns) else {
            return Ok(self);
        };
        if wanted == columns.as_slice() {
            return Ok(self);
        }
        let places: HashMap<&str, usize> =
            columns.iter().enumerate().map(|(at, column)| (column.as_str(), at)).collect();
        let order: Vec<usize> =
            wanted.iter().filter_map(|column| places.get(column.as_str()).copied()).collect();
        let distinct: HashSet<usize> = order.iter().copied().collect();
        if distinct.len() != wanted.len() || columns.len() != wanted.len() {
            let missing = wanted.iter().find(|column| !places.contains_key(column.as_str()));
            let extra = columns.iter().find(|column| !wanted.contains(column));
            let found = match (missing, extra) {
                (Some(missing), _) => format!("none named `{missing}`"),
                (None, Some(extra)) => format!("one more, `{extra}`"),
                (None, None) => "a name twice, in another order".to_owned(),
            };
            let expected = "the columns of the training set";
            let remedy = "write both files from the same table";
            return Err(Error::data(name, expected, found, remedy));
        }
        let plain = self.plain.in_memory()?.select(Axis(1), &order).into();
        let mirror = self.mirror.as_ref().map(Matrix::in_memory).transpose()?;
        let mirror = mirror.map(|mirror| mirror.select(Axis(1), &order).into());
        Ok(Self { plain, mirror, columns: Some(wanted.to_vec()), ..self })
    }
}

/// Pairs (row of `a`, row of `b`) with exactly the same features; for each row of `b`, the
/// first such row of `a`.
///
/// # Errors
///
/// If `b` is left in its file, or the file of `a` can no longer be read.
pub fn shared_rows(a: &Features, b: &Features) -> Result<Vec<(usize, usize)>> {
    let wanted = b.plain.in_memory()?;
    let is = |row: usize, values: ArrayView1<'_, f32>| bits(values).eq(bits(wanted.row(row)));
    // Rows that differ, by hash; every row goes by the first like it.
    let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
    let like: Vec<usize> = wanted
        .rows()
        .into_iter()
        .enumerate()
        .map(|(row, values)| {
            let different = by_hash.entry(hash(values)).or_default();
            different.iter().copied().find(|&known| is(known, values)).unwrap_or_else(|| {
                different.push(row);
                row
            })
        })
        .collect();
    let mut first = vec![None; wanted.nrows()];
    a.plain.blocks(|from, block| {
        for (row, values) in block.rows().into_iter().enumerate() {
            for &candidate in by_hash.get(&hash(values)).into_iter().flatten() {
                if first[candidate].is_none() && is(candidate, values) {
                    first[candidate] = Some(from + row);
                }
            }
        }
        Ok(())
    })?;
    Ok(like.into_iter().enumerate().filter_map(|(b, like)| Some((first[like]?, b))).collect())
}

fn bits(row: ArrayView1<'_, f32>) -> impl Iterator<Item = u32> {
    row.into_iter().map(|value| value.to_bits())
}

fn hash(row: ArrayView1<'_, f32>) -> u64 {
    let mut hasher = DefaultHasher::new();
    bits(row).for_each(|value| hasher.write_u32(value));
    hasher.finish()
}
