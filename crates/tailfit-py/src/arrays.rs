//! From numpy's arrays to features and heads, and back.

use std::collections::HashMap;

use numpy::{PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, ToPyArray};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailfit::features::{Features, HeadFile};
use tailfit::head::Head;

use crate::raised;

/// Features `[N, D]` with the class of each sample, from 0, `[N]`.
pub(crate) type Labelled<'py> = (PyReadonlyArray2<'py, f32>, PyReadonlyArray1<'py, u32>);

/// Weight `[K, D]`, bias `[K]`, and whether features are divided by their norms.
pub(crate) type PyHead<'py> = (PyReadonlyArray2<'py, f64>, PyReadonlyArray1<'py, f64>, bool);

pub(crate) fn features((x, y): &Labelled<'_>) -> PyResult<Features> {
    Features::new(x.as_array().to_owned(), y.as_array().to_vec()).map_err(raised)
}

pub(crate) fn head_file((weight, bias, normalise_features): &PyHead<'_>, key: &str) -> HeadFile {
    let head = Head {
        weight: weight.as_array().to_owned(),
        bias: bias.as_array().to_owned(),
        normalise_features: *normalise_features,
    };
    HeadFile::new(head, key, HashMap::new())
}

/// A head as a dictionary: weight, bias, normalise_features.
pub(crate) fn head_dict<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let weight: Bound<'py, PyArray2<f64>> = head.weight.to_pyarray(py);
    let bias: Bound<'py, PyArray1<f64>> = head.bias.to_pyarray(py);
    dict.set_item("weight", weight)?;
    dict.set_item("bias", bias)?;
    dict.set_item("normalise_features", head.normalise_features)?;
    Ok(dict)
}
