//! Features written to safetensors files.

use std::collections::HashMap;
use std::path::Path;

use ndarray::{Array2, Axis};

use super::{Features, Matrix};
use crate::error::Result;
use crate::files::safetensors::Layout;
use crate::files::write_atomically_with;
use crate::groups::Groups;

impl Features {
    /// Some of the samples, in memory, in the order given.
    ///
    /// # Errors
    ///
    /// If the features are left in their file.
    ///
    /// # Panics
    ///
    /// If there is no such sample.
    pub fn select(&self, rows: &[u32]) -> Result<Self> {
        let rows: Vec<usize> = rows.iter().map(|&row| row as usize).collect();
        let of = |matrix: &Matrix| -> Result<Matrix> {
            Ok(matrix.in_memory()?.select(Axis(0), &rows).into())
        };
        Ok(Self {
            plain: of(&self.plain)?,
            views: self.views.iter().map(of).collect::<Result<_>>()?,
            mirror: self.mirror.as_ref().map(of).transpose()?,
            labels: rows.iter().map(|&row| self.labels[row]).collect(),
            weights: self.weights.as_ref().map(|w| rows.iter().map(|&row| w[row]).collect()),
            groups: self.groups.as_ref().map(|groups| groups.select(rows.iter().copied())),
            ..self.nothing()
        })
    }

    /// One sample of zeros that goes with these: the same names and provenance.
    pub(crate) fn nothing(&self) -> Self {
        Self {
            plain: Array2::zeros((1, self.dim())).into(),
            views: vec![],
            mirror: None,
            labels: vec![0],
            weights: None,
            groups: None,
            columns: self.columns.clone(),
            class_names: self.class_names.clone(),
            named_by_label: self.named_by_label,
            provenance: self.provenance.clone(),
        }
    }

    /// Writes them to a safetensors file as [`Features::load`] reads it, in f32, atomically.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let mut metadata = HashMap::from([("provenance".to_owned(), self.provenance.clone())]);
        if let Some(names) = &self.class_names {
            let names = serde_json::to_string(names).unwrap_or_default();
            metadata.insert("class_names".to_owned(), names);
        }
        if let Some(columns) = &self.columns {
            let names = serde_json::to_string(columns).unwrap_or_default();
            metadata.insert("columns".to_owned(), names);
        }
        if let Some(groups) = &self.groups {
            let names = serde_json::to_string(groups.names()).unwrap_or_default();
            metadata.insert("group_names".to_owned(), names);
        }
        let (n, d) = (self.len(), self.dim());
        let mut layout = Layout::new(metadata);
        layout.add("features", "F32", 4, &[n, d]);
        if !self.views.is_empty() {
            layout.add("views", "F32", 4, &[self.views.len(), n, d]);
        }
        if self.mirror.is_some() {
            layout.add("mirror", "F32", 4, &[n, d]);
        }
        layout.add("labels", "U32", 4, &[n]);
        if self.groups.is_some() {
            layout.add("groups", "U32", 4, &[n]);
        }
        let header = layout.header();
        let mut unreadable = None;
        write_atomically_with(path, &mut |out| {
            out.write_all(&header)?;
            for (_, matrix) in self.matrices() {
                let written = matrix.blocks(|_, block| {
                    let bytes: Vec<u8> = block.iter().flat_map(|v| v.to_le_bytes()).collect();
                    Ok(out.write_all(&bytes)?)
                });
                if let Err(error) = written {
                    unreadable = Some(error);
                    return Err(std::io::ErrorKind::Other.into());
                }
            }
            let groups = self.groups.iter().flat_map(Groups::each);
            let numbers = self.labels.iter().chain(groups);
            out.write_all(&numbers.flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
        })
        .map_err(|error| unreadable.take().unwrap_or(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_is_saved_is_what_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/x.safetensors");
        let views = vec![array![[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]];
        let features = Features::new(array![[1.0, 2.0], [0.5, 1.0], [0.1, 0.2]], vec![1, 0, 1])
            .and_then(|features| features.with_views(views))
            .and_then(|features| features.with_mirror(array![[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]))
            .and_then(|f| f.with_groups(Groups::new(["anna", "ben", "anna"])))
            .and_then(|f| f.with_class_names(vec!["a".to_owned(), "b".to_owned()], "x"))
            .unwrap();
        let features = Features { columns: Some(vec!["u".to_owned(), "v".to_owned()]), ..features };
        let some = features.select(&[2, 0]).unwrap();
        some.save(&path).unwrap();
        let read = Features::load(&path, None).unwrap();
        assert_eq!(read.sha256().unwrap(), some.sha256().unwrap());
        assert_eq!((read.labels, read.class_names), (vec![1, 1], features.class_names));
        assert_eq!(read.columns, features.columns);
        assert_eq!(read.provenance, features.provenance);
        assert_eq!(read.groups, Some(Groups::new(["anna", "anna"])));
    }
}
