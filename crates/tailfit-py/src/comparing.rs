//! Methods compared on a data set.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;

use ndarray::Array2;
use numpy::PyReadonlyArray2;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use tailfit::PrecisionChoice;
use tailfit::compare::{Comparison, Effort, MethodResult, RunRecord, Selection};
use tailfit::error::{Error, Result};
use tailfit::features::{DataSet, HeadFile};
use tailfit::groups::Groups;
use tailfit::methods::Method;
use tailfit::metrics::{EvaluationSet, class_reports};
use tailfit::report;
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1_until;

use crate::arrays::{Labelled, PyHead, Unchecked, head_dict, head_file};
use crate::waiting::waited;
use crate::{method_of, raised};

/// Everything that a comparison is told.
struct Asked {
    name: String,
    /// Training, test and validation set, with their groups.
    sets: [Option<(Unchecked, Option<Groups>)>; 3],
    class_names: Option<Vec<String>>,
    head: Option<HeadFile>,
    class_vectors: Option<Array2<f64>>,
    methods: Vec<Method>,
    selection: Selection,
    effort: Effort,
    seeds: std::ops::Range<u64>,
    warns: bool,
    precision: PrecisionChoice,
    thresholds: ShotThresholds,
}

/// What came out of a method, and what is written of it beside records and tables.
struct Finished {
    result: MethodResult,
    metadata: HashMap<String, String>,
    curves: String,
    per_class: String,
}

impl Finished {
    fn of(result: MethodResult, data: &DataSet) -> Result<Self> {
        let reports = class_reports(&result.head, &EvaluationSet::of(&data.test)?);
        let names = data.train.class_names.as_deref();
        Ok(Self {
            metadata: report::head_metadata(&result.head_record, data),
            curves: report::curves_csv(&result.curves),
            per_class: report::per_class_csv(&reports, &data.counts, data.thresholds, names),
            result,
        })
    }
}

/// What a comparison sends while it works.
enum Sent {
    /// Head-epochs done, of so many in all.
    Progress(usize, usize),
    Method(String, Box<Result<Finished>>),
    Failed(Error),
    Warning(String),
}

/// The value of this name.
fn named<T: Copy>(all: &[T], name: fn(T) -> &'static str, wanted: &str, what: &str) -> Result<T> {
    all.iter().copied().find(|&value| name(value) == wanted).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|&value| name(value)).collect();
        Error::usage(what, format!("one of {}", names.join(", ")), format!("`{wanted}`"), "")
    })
}

/// Compares methods, given as names or in TOML. `finished` is called with each method's name and its
/// result: a dictionary with records (JSON), the head and what is written of it, or an error; `progress` with the head-epochs
/// done and those there are in all. Seeds count from `first_seed`; `warns` is false for sets that stand in
/// for others.
#[pyfunction]
#[pyo3(signature = (name, train, test, validation, head, methods, *, selection, effort, seeds, precision, many_above, few_below, class_names, class_vectors, groups, threads, finished, progress, first_seed = 0, warns = true))]
#[expect(clippy::too_many_arguments, reason = "each has its name in Python")]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    name: String,
    train: Labelled<'py>,
    test: Labelled<'py>,
    validation: Option<Labelled<'py>>,
    head: Option<PyHead<'py>>,
    methods: Vec<String>,
    selection: &str,
    effort: &str,
    seeds: u64,
    precision: &str,
    many_above: usize,
    few_below: usize,
    class_names: Option<Vec<String>>,
    class_vectors: Option<PyReadonlyArray2<'py, f64>>,
    groups: [Option<Vec<String>>; 3],
    threads: Option<usize>,
    finished: Bound<'py, PyAny>,
    progress: Option<Bound<'py, PyAny>>,
    first_seed: u64,
    warns: bool,
) -> PyResult<()> {
    let chosen: Result<Vec<Method>> = methods.iter().map(|name| method_of(name)).collect();
    let mut chosen = chosen.map_err(raised)?;
    for (place, method) in chosen.iter().enumerate() {
        if chosen[..place].iter().any(|earlier| earlier.name == method.name) {
            let remedy = "give configurations names of their own";
            return Err(raised(Error::usage("methods", "each name once", &method.name, remedy)));
        }
    }
    let selection =
        named(&Selection::ALL, |s| s.rule().name, selection, "select").map_err(raised)?;
    let effort = effort_named(effort)?;
    if selection != Selection::BestOnTest {
        chosen = chosen.into_iter().map(Method::with_conditioning).collect();
    }
    let set = |set: &Labelled<'_>, groups: Option<Vec<String>>| -> PyResult<_> {
        Ok(Some((Unchecked::of(set)?, groups.map(Groups::new))))
    };
    let [of_train, of_test, of_validation] = groups;
    let validation =
        validation.as_ref().map_or(Ok(None), |validation| set(validation, of_validation))?;
    let asked = Asked {
        name,
        sets: [set(&train, of_train)?, set(&test, of_test)?, validation],
        class_names,
        head: head.map(|head| head_file(&head, "fc")),
        class_vectors: class_vectors.map(|vectors| vectors.as_array().to_owned()),
        methods: chosen,
        selection,
        effort,
        seeds: first_seed..first_seed.saturating_add(seeds),
        warns,
        precision: precision.parse().map_err(raised_text)?,
        thresholds: ShotThresholds { many_above, few_below },
    };
    waited(
        py,
        threads,
        move |sender, stop| {
            if let Err(error) = work(asked, sender, stop) {
                let _ = sender.send(Sent::Failed(error));
            }
        },
        |sent| match sent {
            Sent::Failed(error) => Err(raised(error)),
            Sent::Warning(text) => {
                let category = py.get_type::<pyo3::exceptions::PyUserWarning>();
                let text = std::ffi::CString::new(text).unwrap_or_default();
                PyErr::warn(py, &category, &text, 2)
            }
            Sent::Progress(done, all) => match &progress {
                Some(progress) => progress.call1((done, all)).map(|_none| ()),
                None => Ok(()),
            },
            Sent::Method(name, result) => match *result {
                Ok(result) => finished.call1((name, result_dict(py, &result)?)).map(|_none| ()),
                Err(error) => finished.call1((name, raised(error).into_value(py))).map(|_none| ()),
            },
        },
    )
}

/// The effort of this name.
pub(crate) fn effort_named(name: &str) -> PyResult<Effort> {
    named(&Effort::ALL, Effort::name, name, "effort").map_err(raised)
}

fn raised_text(error: impl ToString) -> PyErr {
    pyo3::exceptions::PyValueError::new_err(error.to_string())
}

fn work(asked: Asked, sender: &Sender<Sent>, stop: &std::sync::atomic::AtomicBool) -> Result<()> {
    let Asked { selection, effort, seeds, precision, methods, class_names, .. } = asked;
    let checked = |set: Option<(Unchecked, Option<Groups>)>| -> Result<_> {
        let Some((features, groups)) = set else { return Ok(None) };
        let mut features = features.checked()?;
        if let Some(groups) = groups {
            features = features.with_groups(groups)?;
        }
        features.class_names.clone_from(&class_names);
        Ok(Some(features))
    };
    asked.thresholds.check()?;
    let [train, test, validation] = asked.sets.map(checked);
    let (Some(train), Some(test), validation) = (train?, test?, validation?) else { return Ok(()) };
    let mut data =
        DataSet::new(&asked.name, train, test, validation, asked.head, asked.thresholds)?;
    if let Some(vectors) = asked.class_vectors {
        data = data.with_class_vectors(vectors)?;
    }
    let warnings = if asked.warns { warnings_of(&data, selection)? } else { vec![] };
    for warning in warnings {
        let _ = sender.send(Sent::Warning(warning));
    }
    if data.stage_1.is_none() {
        train_stage_1_until(&mut data, stop)?;
    }
    let comparison = Comparison::new_until(&data, selection, seeds.collect(), stop)?
        .with_precision(precision.resolve()?)
        .with_effort(effort);
    let each: Vec<usize> =
        methods.iter().map(|method| comparison.work(method)).collect::<Result<_>>()?;
    let all: usize = each.iter().sum();
    let done = std::sync::atomic::AtomicUsize::new(0);
    let shared = std::sync::Mutex::new(sender.clone());
    for (at, method) in methods.iter().enumerate() {
        // What a method takes is an estimate.
        done.store(each[..at].iter().sum(), Ordering::Relaxed);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let progress = |epochs: usize| {
            let done = (done.fetch_add(epochs, Ordering::Relaxed) + epochs).min(all);
            if let Ok(sender) = shared.lock() {
                let _ = sender.send(Sent::Progress(done, all));
            }
        };
        // A fault of this program in one method costs no other its results.
        let run = || Finished::of(comparison.run(method, &progress)?, &data);
        let run = std::panic::AssertUnwindSafe(run);
        let result = Box::new(std::panic::catch_unwind(run).unwrap_or_else(|_payload| {
            Err(Error::data("method", "to finish", "a fault of this program", "report it"))
        }));
        if sender.send(Sent::Method(method.name.clone(), result)).is_err() {
            break;
        }
    }
    Ok(())
}

/// What is no error, but makes numbers mean something else than they seem to.
fn warnings_of(data: &DataSet, selection: Selection) -> Result<Vec<String>> {
    let mut warnings = report::warnings(data)?;
    if selection.rule().folds
        && let Some(percent) = report::fitted_percent(data)?
    {
        warnings.push(format!(
            "the stage-1 head is right on {percent:.1} % of the training set: backbone and head have been trained on it, \
             and folds of it show nothing; give a test or a validation set"
        ));
    }
    // Without a search there is no choice of conditioning, nor as papers do it.
    if selection == Selection::BestOnTest || !selection.rule().searches() {
        warnings.extend(report::scale_warning(data)?);
    }
    Ok(warnings)
}

fn result_dict<'py>(py: Python<'py>, finished: &Finished) -> PyResult<Bound<'py, PyDict>> {
    let Finished { result, metadata, curves, per_class } = finished;
    let dict = head_dict(py, &result.head)?;
    let records = result.records.iter().map(RunRecord::to_json);
    dict.set_item("records", PyList::new(py, records)?)?;
    dict.set_item("head_record", result.head_record.to_json())?;
    dict.set_item("metadata", metadata)?;
    dict.set_item("curves", curves)?;
    dict.set_item("per_class", per_class)?;
    Ok(dict)
}
