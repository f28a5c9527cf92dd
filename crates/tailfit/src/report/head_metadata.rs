//! What a head's own file says of it.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::compare::RunRecord;
use crate::features::DataSet;

/// The metadata of a head's file: who made it, by which method, what it reaches, and the counts and, where
/// they are known, names of the classes and names of the features that it was trained on.
pub fn head_metadata(record: &RunRecord, data: &DataSet) -> HashMap<String, String> {
    let named = |key: &str, value: Value| (key.to_owned(), value.to_string());
    let mut metadata = HashMap::from([
        ("made_by".to_owned(), format!("tailfit {}", record.version)),
        ("method".to_owned(), record.method.clone()),
        named("scores", scores(record)),
        named("class_counts", json!(data.counts.as_slice())),
    ]);
    metadata.extend(data.train.columns.as_ref().map(|columns| named("columns", json!(columns))));
    let names = data.train.class_names.as_ref();
    metadata.extend(names.map(|names| named("class_names", json!(names))));
    metadata
}

/// The test scores of a head's record, how it was chosen, and whether that makes them too good.
fn scores(record: &RunRecord) -> Value {
    let accuracy = &record.evaluation.accuracy;
    json!({
        "n_test": record.data.n_test,
        "test_sha256": record.data.test_sha256,
        "overall_percent": accuracy.overall_percent,
        "macro_percent": accuracy.macro_percent,
        "many_percent": accuracy.many_percent,
        "medium_percent": accuracy.medium_percent,
        "few_percent": accuracy.few_percent,
        "validation_percent": record.heads[0].validation_percent,
        "selection": record.selection.rule,
        "optimistic": record.selection.optimistic,
        "seed": record.seed,
    })
}
