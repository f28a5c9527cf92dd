//! One head at a time.

use std::path::PathBuf;

use numpy::{PyArray1, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tailfit::PrecisionChoice;
use tailfit::features;
use tailfit::recipe::Recipe;
use tailfit::train::{self, Fit, Fitted, Options};

use crate::arrays::{Labelled, PyHead, Unchecked, head_dict, head_file};
use crate::raised;
use crate::waiting::waited;

/// Trains one recipe (JSON) on features; see `tailfit::train::fit`. Returns the head as a dictionary,
/// with `passes` and `gap` of a solver and `train_loss` of SGD.
#[pyfunction]
#[pyo3(signature = (data, recipe, *, sample_weight=None, class_weight=None, head=None, seed=0, double=false, threads=None))]
#[expect(clippy::too_many_arguments, reason = "each has its name in Python")]
pub(crate) fn fit<'py>(
    py: Python<'py>,
    data: Labelled<'py>,
    recipe: &str,
    sample_weight: Option<PyReadonlyArray1<'py, f64>>,
    class_weight: Option<PyReadonlyArray1<'py, f64>>,
    head: Option<PyHead<'py>>,
    seed: u64,
    double: bool,
    threads: Option<usize>,
) -> PyResult<Bound<'py, PyDict>> {
    let recipe: Recipe = serde_json::from_str(recipe)
        .map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let train = Unchecked::of(&data)?;
    let weights = sample_weight.map(|weights| weights.as_array().to_vec());
    let head = head.map(|head| head_file(&head, "fc"));
    let class_weight = class_weight.map(|weights| weights.as_array().to_vec());
    let precision = PrecisionChoice::Auto.resolve().map_err(raised)?;
    let mut result = None;
    waited(
        py,
        threads,
        move |sender, stop| {
            let options = Options { precision, stop, ..Options::default() };
            // Whoever waited may have been interrupted.
            let how = Fit { stage_1: head, class_weight, recipe, seed, double };
            let checked = train.checked().and_then(|train| match weights {
                Some(weights) => train.with_weights(weights),
                None => Ok(train),
            });
            let _ = sender.send(checked.and_then(|train| train::fit(train, how, &options)));
        },
        |fitted| {
            result = Some(fitted);
            Ok(())
        },
    )?;
    let Some(fitted) = result else { return Ok(PyDict::new(py)) };
    let Fitted { outcome, counts } = fitted.map_err(raised)?;
    let dict = head_dict(py, &outcome.head)?;
    dict.set_item("passes", outcome.solution.map(|solution| solution.passes))?;
    dict.set_item("gap", outcome.solution.and_then(|solution| solution.gap))?;
    dict.set_item("train_loss", outcome.train_loss)?;
    dict.set_item("class_counts", counts.as_slice())?;
    Ok(dict)
}

/// The temperature for logits `[N, K]` of samples of these classes.
#[pyfunction]
pub(crate) fn fit_temperature(
    py: Python<'_>,
    logits: PyReadonlyArray2<'_, f64>,
    labels: PyReadonlyArray1<'_, u32>,
) -> f64 {
    let (logits, labels) = (logits.as_array().to_owned(), labels.as_array().to_vec());
    py.detach(|| tailfit::probabilities::fit_temperature(logits.view(), &labels))
}

/// Class frequencies `[K]` estimated from probabilities `[N, K]` of a head that assumes others.
#[pyfunction]
pub(crate) fn estimate_prior<'py>(
    py: Python<'py>,
    probabilities: PyReadonlyArray2<'py, f64>,
    assumed: Vec<f64>,
) -> Bound<'py, PyArray1<f64>> {
    let probabilities = probabilities.as_array().to_owned();
    let estimate = || tailfit::probabilities::estimate_prior(probabilities.view(), &assumed);
    PyArray1::from_vec(py, py.detach(estimate))
}

/// Class frequencies `[K]` estimated from how often each class is predicted, `[K]`, and the classes and
/// predicted classes of labelled samples.
#[pyfunction]
pub(crate) fn estimate_prior_by_confusion<'py>(
    py: Python<'py>,
    labels: PyReadonlyArray1<'py, u32>,
    predicted: PyReadonlyArray1<'py, u32>,
    predictions: Vec<usize>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let (labels, predicted) = (labels.as_array(), predicted.as_array());
    let labelled: Vec<(u32, u32)> = labels.iter().copied().zip(predicted.iter().copied()).collect();
    let estimate = || tailfit::probabilities::estimate_prior_by_confusion(&labelled, &predictions);
    Ok(PyArray1::from_vec(py, py.detach(estimate).map_err(raised)?))
}

/// Reads a head from safetensors or npz: a dictionary with its key and metadata too.
#[pyfunction]
#[pyo3(signature = (path, key=None))]
pub(crate) fn load_head<'py>(
    py: Python<'py>,
    path: PathBuf,
    key: Option<&str>,
) -> PyResult<Bound<'py, PyDict>> {
    let file = features::load_head(&path, key).map_err(raised)?;
    let dict = head_dict(py, &file.head)?;
    dict.set_item("key", file.key)?;
    dict.set_item("metadata", file.metadata)?;
    Ok(dict)
}

/// Writes a head in safetensors, under this key.
#[pyfunction]
pub(crate) fn save_head(path: PathBuf, head: PyHead<'_>, key: &str) -> PyResult<()> {
    features::save_head(&path, &head_file(&head, key)).map_err(raised)
}
