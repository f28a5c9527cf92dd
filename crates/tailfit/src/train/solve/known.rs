//! What solvers know of a data set from earlier trials.

use std::sync::{Arc, Mutex, PoisonError};

use super::chain::Form;
use super::space::Space;
use super::state::{Rung, State};
use crate::train::seen::SeenAs;

/// What solvers know of one data set, for whoever trains on it again and again: spaces, and how far down
/// objectives were solved. Results do not depend on it. What was not needed for longest is forgotten.
pub(crate) struct Known {
    spaces: Recent<SeenAs, Space>,
    rungs: Recent<(SeenAs, Form), Rung>,
}

/// Nothing, and it stays so.
pub(crate) static NOTHING: Known = Known::new(0);

impl Known {
    /// Nothing yet, and never more than so many bytes.
    pub(crate) const fn new(most: usize) -> Self {
        Self { spaces: Recent::new(most / 2), rungs: Recent::new(most / 2) }
    }

    /// Numbers of spaces and rungs.
    #[cfg(test)]
    pub(crate) fn len(&self) -> [usize; 2] {
        [self.spaces.kept.lock().unwrap().len(), self.rungs.kept.lock().unwrap().len()]
    }

    /// The space of samples seen in a way.
    pub(super) fn space(&self, seen_as: SeenAs) -> Option<Arc<Space>> {
        self.spaces.get(|seen| *seen == seen_as)
    }

    pub(super) fn keep_space(&self, seen_as: SeenAs, space: &Arc<Space>) {
        self.spaces.put(seen_as, Arc::clone(space), space.size());
    }

    /// The smallest weight decay to which such an objective was solved.
    pub(super) fn rung(&self, seen_as: SeenAs, form: &Form) -> Option<Arc<Rung>> {
        self.rungs.get(|(seen, known)| *seen == seen_as && known == form)
    }

    /// Whether a rung of this size would be kept.
    pub(super) fn has_room_for(&self, size: usize) -> bool {
        size <= self.rungs.most
    }

    pub(super) fn keep_rung(&self, seen_as: SeenAs, form: &Form, rung: Rung) {
        if self.rung(seen_as, form).is_some_and(|known| known.weight_decay <= rung.weight_decay) {
            return;
        }
        let point = &rung.state.outputs.weight;
        let size = State::size_of(point.nrows(), point.ncols());
        self.rungs.put((seen_as, form.clone()), Arc::new(rung), size);
    }
}

/// Values by key, up to a number of bytes.
struct Recent<K, V> {
    most: usize,
    /// With the size of each, the latest last.
    kept: Mutex<Vec<(K, Arc<V>, usize)>>,
}

impl<K: PartialEq, V> Recent<K, V> {
    const fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(vec![]) }
    }

    fn get(&self, is_wanted: impl Fn(&K) -> bool) -> Option<Arc<V>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(key, ..)| is_wanted(key))?;
        let found = kept.remove(at);
        let value = Arc::clone(&found.1);
        kept.push(found);
        Some(value)
    }

    fn put(&self, key: K, value: Arc<V>, size: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(known, ..)| *known != key);
        if size > self.most {
            return;
        }
        kept.push((key, value, size));
        while kept.iter().map(|(.., size)| size).sum::<usize>() > self.most {
            kept.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_needed_for_longest_is_forgotten() {
        let recent = Recent::new(10);
        let get = |key: u32| recent.get(|known| *known == key).map(|value| *value);
        for key in [1, 2] {
            recent.put(key, Arc::new(10 * key), 5);
        }
        assert_eq!(get(1), Some(10));
        recent.put(3, Arc::new(30), 5);
        assert_eq!([get(1), get(2), get(3)], [Some(10), None, Some(30)]);
        recent.put(3, Arc::new(31), 10);
        assert_eq!([get(1), get(3)], [None, Some(31)]);
        recent.put(4, Arc::new(40), 11);
        assert_eq!([get(3), get(4)], [Some(31), None], "too large to be worth it");
    }
}
