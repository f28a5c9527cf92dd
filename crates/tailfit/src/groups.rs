//! Samples that belong together, such as pictures of one patient: splits keep them together, because
//! what is learned from one sample of a group tells about the others.

mod deal;

/// The group of each sample, by name.
///
/// ```
/// use tailfit::groups::Groups;
///
/// let groups = Groups::new(["anna", "ben", "anna"]);
/// assert_eq!((groups.len(), groups.n_groups()), (3, 2));
/// assert_eq!(groups.shared_with(&Groups::new(["ben", "cy"])), ["ben"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    /// The number of each sample's group.
    of: Vec<u32>,
    /// Names by number, sorted.
    names: Vec<String>,
}

impl Groups {
    /// From the name of each sample's group.
    pub fn new<T: ToString>(of: impl IntoIterator<Item = T>) -> Self {
        let each: Vec<String> = of.into_iter().map(|name| name.to_string()).collect();
        let mut names = each.clone();
        names.sort_unstable();
        names.dedup();
        let number = |name: &String| names.binary_search(name).unwrap_or(0) as u32;
        Self { of: each.iter().map(number).collect(), names }
    }

    /// N, the number of samples.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// The number of groups.
    pub fn n_groups(&self) -> usize {
        self.names.len()
    }

    /// The name of each group, by number.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of each sample's group, `[N]`.
    pub fn each(&self) -> &[u32] {
        &self.of
    }

    /// The groups of some samples.
    pub(crate) fn select(&self, rows: impl IntoIterator<Item = usize>) -> Self {
        Self::new(rows.into_iter().map(|row| &self.names[self.of[row] as usize]))
    }

    /// Names of groups that another set has too.
    pub fn shared_with(&self, other: &Self) -> Vec<&str> {
        let there = |name: &&String| other.names.binary_search(name).is_ok();
        self.names.iter().filter(there).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
