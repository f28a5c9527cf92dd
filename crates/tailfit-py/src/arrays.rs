//! From numpy's arrays to features and heads, and back.

use std::collections::HashMap;
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

use ndarray::ArrayView2;
use numpy::{
    Element, PyArray1, PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods,
    ToPyArray,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailfit::error::{Error, Result};
use tailfit::features::{Features, HeadFile, Matrix};
use tailfit::head::{Gate, Head};

use crate::raised;

/// Features `[N, D]`: an array; the bytes of one of a 16-bit type in C order, `[N, 2 D]`, and the type; or where a memory
/// map's values are in its file: path, first byte, type and shape.
#[derive(FromPyObject)]
pub(crate) enum Values<'py> {
    Array(PyReadonlyArray2<'py, f32>),
    Halves(PyReadonlyArray2<'py, u8>, String),
    File(PathBuf, u64, String, (usize, usize)),
}

/// Features `[N, D]` with the class of each sample, from 0, `[N]`.
pub(crate) type Labelled<'py> = (Values<'py>, PyReadonlyArray1<'py, u32>);

type Vector<'py> = PyReadonlyArray1<'py, f64>;

/// A gate's v `[D]`, u, α and β, `[K]` each.
pub(crate) type PyGate<'py> = (Vector<'py>, f64, Vector<'py>, Vector<'py>);

/// Weight `[K, D]`, bias `[K]`, whether features are divided by their norms, the centre that is
/// subtracted before, `[D]`, the gate, and metadata.
pub(crate) type PyHead<'py> = (
    PyReadonlyArray2<'py, f64>,
    Vector<'py>,
    bool,
    Option<Vector<'py>>,
    Option<PyGate<'py>>,
    HashMap<String, String>,
);

/// Features that are not checked yet: that reads them all, and is work for another thread.
pub(crate) struct Unchecked(Matrix, Vec<u32>);

impl Unchecked {
    pub(crate) fn of((x, y): &Labelled<'_>) -> PyResult<Self> {
        let matrix = match x {
            Values::Array(x) => Ok(shared(x)),
            Values::Halves(x, dtype) => halves(x, dtype),
            Values::File(path, at, dtype, shape) => Matrix::left_in(path, *at, dtype, *shape),
        };
        Ok(Self(matrix.map_err(raised)?, y.as_array().to_vec()))
    }

    pub(crate) fn checked(self) -> Result<Features> {
        Features::new(self.0, self.1)
    }
}

/// An array that is in use outside the interpreter's lock.
struct Owner(Option<Py<PyAny>>);

impl Drop for Owner {
    /// Gives the array back at once, where the interpreter still runs.
    fn drop(&mut self) {
        let array = self.0.take();
        Python::try_attach(|_| drop(array));
    }
}

/// The values of an array, if they are in C order, and who has to be kept for as long as they are used.
#[allow(
    unsafe_code,
    reason = "only the interpreter knows how long its memory lives; see the block"
)]
fn left<T: Element>(x: &PyReadonlyArray2<'_, T>) -> Option<(&'static [T], Arc<Owner>)> {
    // A slice is there for Fortran's order too.
    let values = if x.is_c_contiguous() { x.as_slice().ok()? } else { return None };
    // SAFETY: the slice is the array's memory, which its owner keeps. This relies on nobody writing to the
    // array, or resizing it without a check of references, until the work ends, which after an interrupt may
    // be a little later than the call; Python's documentation says so.
    let values = unsafe { slice::from_raw_parts(values.as_ptr(), values.len()) };
    Some((values, Arc::new(Owner(Some(x.as_any().clone().unbind())))))
}

/// The values of an array, which are not copied if they are in C order.
fn shared(x: &PyReadonlyArray2<'_, f32>) -> Matrix {
    let shared = left(x).and_then(|(values, owner)| {
        let view = ArrayView2::from_shape(x.as_array().raw_dim(), values).ok()?;
        Some(Matrix::Shared(view, owner))
    });
    shared.unwrap_or_else(|| x.as_array().to_owned().into())
}

/// The values of an array of a 16-bit type, which stay where they are.
fn halves(x: &PyReadonlyArray2<'_, u8>, dtype: &str) -> Result<Matrix> {
    let Some((bytes, owner)) = left(x) else {
        let remedy = "pass numpy.ascontiguousarray(x)";
        return Err(Error::usage("features", "an array in C order", "another order", remedy));
    };
    let (n, width) = x.as_array().dim();
    Matrix::left_with(owner, bytes, dtype, (n, width / 2))
}

pub(crate) fn head_file(head: &PyHead<'_>, key: &str) -> HeadFile {
    let (weight, bias, normalise_features, centre, gate, metadata) = head;
    let own = |vector: &Vector<'_>| vector.as_array().to_owned();
    let gate = gate.as_ref().map(|(weight, bias, scale, shift)| Gate {
        weight: own(weight),
        bias: *bias,
        scale: own(scale),
        shift: own(shift),
    });
    let head = Head {
        normalise_features: *normalise_features,
        centre: centre.as_ref().map(own),
        gate,
        ..Head::linear(weight.as_array().to_owned(), own(bias))
    };
    HeadFile::new(head, key, metadata.clone())
}

/// A head as a dictionary: weight, bias, normalise_features, centre and gate, or `None` for either.
pub(crate) fn head_dict<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    let weight: Bound<'py, PyArray2<f64>> = head.weight.to_pyarray(py);
    let bias: Bound<'py, PyArray1<f64>> = head.bias.to_pyarray(py);
    dict.set_item("weight", weight)?;
    dict.set_item("bias", bias)?;
    dict.set_item("normalise_features", head.normalise_features)?;
    dict.set_item("centre", head.centre.as_ref().map(|centre| centre.to_pyarray(py)))?;
    let gate = head.gate.as_ref().map(|gate| {
        let [weight, scale, shift] =
            [&gate.weight, &gate.scale, &gate.shift].map(|vector| vector.to_pyarray(py));
        (weight, gate.bias, scale, shift)
    });
    dict.set_item("gate", gate)?;
    Ok(dict)
}
