//! From what files hold to features.

use super::formats::Reading;
use super::matrix::Matrix;
use super::raw::Raw;
use super::stored::Stored;
use super::{Features, same};
use crate::error::{Error, Result, plain};
use crate::groups::Groups;

/// Longest provenance that is kept, in characters.
const LONGEST: usize = 2000;

impl Features {
    /// The samples of all files, each with its name, one below the other.
    pub(super) fn assemble(files: Vec<(Raw, String)>, reading: &Reading<'_>) -> Result<Self> {
        let Some(place) = joined(&files, str::to_owned) else {
            return Err(Error::usage("features", "at least one file", "none", ""));
        };
        // Records hold no paths.
        let name = joined(&files, file_name).unwrap_or_default();
        let (mut plain_parts, mut mirror_parts, mut views_parts) = (vec![], vec![], vec![]);
        let (mut labels, mut groups, mut grouped) = (None, Vec::new(), 0);
        let (mut columns, mut class_names, mut provenance) = (None, None, None);
        let n_files = files.len();
        for (number, (raw, place)) in files.into_iter().enumerate() {
            let features = raw
                .features
                .ok_or_else(|| Error::data(&place, "an array of features", "none", ""))?;
            let features = matrix(features)?;
            let (n, d) = (features.shape[0], features.shape[1]);
            let of_file = raw.labels.ok_or_else(|| {
                let remedy = "put them in the same file, or name a second one";
                Error::data(&place, "an array of labels", "none", remedy).answered_by("labels")
            })?;
            if of_file.len() == d && d != n {
                let found = format!("{d} labels, as many as there are columns");
                let remedy = "are the features transposed? save x.T";
                return Err(Error::data(&place, format!("{n} labels, one a row"), found, remedy));
            }
            same(&format!("{place}: labels"), &[n], &[of_file.len()])?;
            let named = raw.columns.as_ref().map_or(d, Vec::len);
            same(&format!("{place}: columns"), &[d], &[named])?;
            if number == 0 {
                (labels, columns, class_names) = (Some(of_file), raw.columns, raw.class_names);
                provenance = raw.provenance;
            } else {
                if let Some(labels) = &mut labels {
                    labels.extend(of_file, &place)?;
                }
                let others = raw.columns != columns || raw.class_names != class_names;
                if others {
                    let expected = "the columns and classes of the first file";
                    return Err(Error::data(&place, expected, "others", ""));
                }
            }
            if let Some(of_file) = raw.groups {
                same(&format!("{place}: groups"), &[n], &[of_file.len()])?;
                groups.extend(of_file);
                grouped += 1;
            }
            if let Some(mirror) = raw.mirror {
                let mirror = squeezed(mirror, 2);
                same(&mirror.place, &[n, d], &mirror.shape)?;
                mirror_parts.push(mirror);
            }
            if let Some(views) = raw.views {
                let views = squeezed(views, 3);
                let n_views = views.shape.first().copied().unwrap_or(0).max(1);
                same(&views.place, &[n_views, n, d], &views.shape)?;
                views_parts.push((0..n_views).map(|view| views.part(view)).collect::<Vec<_>>());
            }
            plain_parts.push(features);
        }
        let n_views = views_parts.first().map_or(0, Vec::len);
        let halfway = |parts: usize| parts != 0 && parts != n_files;
        if halfway(mirror_parts.len())
            || halfway(grouped)
            || halfway(views_parts.len())
            || views_parts.iter().any(|views| views.len() != n_views)
            || plain_parts.iter().any(|part| part.shape[1] != plain_parts[0].shape[1])
        {
            let expected =
                "files of equal D, with equally many views, and mirrors and groups in all or none";
            return Err(Error::data(place, expected, "some that differ", ""));
        }
        let all = plain_parts.iter().chain(&mirror_parts).chain(views_parts.iter().flatten());
        let held = all.map(Stored::size_as_f32).sum::<u64>() <= reading.storage.memory;
        let mirror = match mirror_parts.len() {
            0 => None,
            _ => Some(Matrix::of(mirror_parts, held)?),
        };
        let view = |view: usize| {
            Matrix::of(views_parts.iter().map(|views| views[view].clone()).collect(), held)
        };
        let views = (0..n_views).map(view).collect::<Result<_>>()?;
        let (labels, names) = match labels {
            Some(labels) => labels.indices(reading.label_base, &place)?,
            None => (vec![], None),
        };
        let named_by_label = names.is_some();
        let features =
            Self::checked(Matrix::of(plain_parts, held)?, views, mirror, labels, &place)?;
        let features = Self {
            columns,
            named_by_label,
            groups: (grouped > 0).then(|| Groups::new(groups)),
            class_names: names.or_else(|| class_names.clone()),
            provenance: plain(&provenance.unwrap_or(name), LONGEST),
            ..features
        };
        match class_names {
            // The file says in which order its names count.
            Some(order) if named_by_label => features.in_classes_of(&order, &place),
            _ => Ok(features),
        }
    }
}

/// What files are called together: of several, the first and the last.
fn joined(files: &[(Raw, String)], name: impl Fn(&str) -> String) -> Option<String> {
    match files {
        [(_, only)] => Some(name(only)),
        [(_, first), .., (_, last)] => Some(format!("{} … {}", name(first), name(last))),
        [] => None,
    }
}

fn file_name(path: &str) -> String {
    let name = std::path::Path::new(path).file_name();
    name.map_or(path.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Features as a matrix: one of `[N, D, 1, 1]`, as a network's pooling leaves them, is one.
fn matrix(features: Stored) -> Result<Stored> {
    let features = squeezed(features, 2);
    let remedy = match features.shape[..] {
        [n, d] if n > 0 && d > 0 => return Ok(features),
        [_] => "for one feature, save x.reshape(-1, 1)",
        [_, _, _] => "pool the tokens first: x.mean(axis=1), or x[:, 0] for the class token",
        [_, _, _, _] => "pool the positions first: x.mean(axis=(2, 3))",
        _ => "",
    };
    let found = format!("shape {:?}", features.shape);
    let expected = "two dimensions [N, D], at least one sample and one feature";
    Err(Error::data(&features.place, expected, found, remedy))
}

/// Without dimensions of size 1 beyond the first `n`.
fn squeezed(mut array: Stored, n: usize) -> Stored {
    while array.shape.len() > n && array.shape.last() == Some(&1) {
        array.shape.pop();
    }
    array
}
