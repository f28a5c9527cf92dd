//! What the headers of columns depend on.

use super::Summary;
use crate::compare::DataRecord;

/// The rows of a table, and their data.
pub(super) struct Shown<'a> {
    pub(super) data: &'a DataRecord,
    pub(super) rows: &'a [Summary<'a>],
}

impl Shown<'_> {
    /// Whether any row's selection rule is not optimistic.
    pub(super) fn honest(&self) -> bool {
        self.rows.iter().any(|row| !row.selection().rule().is_optimistic())
    }

    /// Whether there is a validation set.
    pub(super) fn validated(&self) -> bool {
        let of_row =
            |row: &Summary<'_>| row.spread(|r| r.heads.first()?.validation_percent).is_some();
        self.data.validation_sha256.is_some() || self.rows.iter().any(of_row)
    }

    /// Whether rows are compared with the best.
    pub(super) fn compared(&self) -> bool {
        self.rows.iter().any(|row| row.difference.is_some())
    }

    /// Whether class means have intervals.
    pub(super) fn measured(&self) -> bool {
        self.rows.iter().any(|row| row.standing.is_some())
    }
}
