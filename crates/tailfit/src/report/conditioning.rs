//! On what features methods were trained.

use super::Summary;
use crate::recipe::Conditioning;

/// Which methods' heads were mostly trained on standardised features; none if no method's were.
pub(super) fn note(rows: &[Summary<'_>]) -> Option<String> {
    let mostly = |row: &&Summary<'_>| {
        let heads = || row.records.iter().flat_map(|record| &record.heads);
        let standardised =
            heads().filter(|head| head.recipe.features == Conditioning::Standardised);
        2 * standardised.count() > heads().count()
    };
    let methods: Vec<&str> = rows.iter().filter(mostly).map(|row| row.method).collect();
    let all = methods.len() == rows.len() && rows.len() > 1;
    let methods = if all { "all methods".to_owned() } else { methods.join(", ") };
    (!methods.is_empty()).then(|| format!("Mostly trained on standardised features: {methods}."))
}
