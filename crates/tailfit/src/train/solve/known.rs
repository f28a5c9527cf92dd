//! What solvers know of a data set from earlier trials.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

    /// The number of spaces, and the weight decay of each rung.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (usize, Vec<f64>) {
        let rungs = self.rungs.lock().iter().map(|(_, rung, _)| rung.weight_decay).collect();
        (self.spaces.lock().len(), rungs)
    }

    /// Makes every rung look as if it had taken so many passes more.
    #[cfg(test)]
    pub(crate) fn add_passes(&self, more: usize) {
        for (_, rung, _) in self.rungs.lock().iter_mut() {
            *rung = Arc::new(Rung { passes: rung.passes + more, ..Rung::clone(rung) });
        }
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

    /// Keeps a rung, unless a smaller weight decay is known.
    pub(super) fn keep_rung(&self, seen_as: SeenAs, form: &Form, rung: Rung) {
        let point = &rung.state.outputs.weight;
        let size = State::size_of(point.nrows(), point.ncols());
        let is_better = |known: &Rung| known.weight_decay <= rung.weight_decay;
        let key = (seen_as, form.clone());
        let mut kept = self.rungs.lock();
        if !kept.iter().any(|(known, value, _)| *known == key && is_better(value)) {
            self.rungs.put_into(&mut kept, key, Arc::new(rung), size);
        }
    }
}

/// Values by key, up to a number of bytes.
struct Recent<K, V> {
    most: usize,
    kept: Mutex<Kept<K, V>>,
}

/// With the size of each, the latest last.
type Kept<K, V> = Vec<(K, Arc<V>, usize)>;

impl<K: PartialEq, V> Recent<K, V> {
    const fn new(most: usize) -> Self {
        Self { most, kept: Mutex::new(vec![]) }
    }

    fn get(&self, is_wanted: impl Fn(&K) -> bool) -> Option<Arc<V>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|(key, ..)| is_wanted(key))?;
        let found = kept.remove(at);
        let value = Arc::clone(&found.1);
        kept.push(found);
        Some(value)
    }

    fn put(&self, key: K, value: Arc<V>, size: usize) {
        self.put_into(&mut self.lock(), key, value, size);
    }

    fn put_into(&self, kept: &mut Kept<K, V>, key: K, value: Arc<V>, size: usize) {
        kept.retain(|(known, ..)| *known != key);
        if size > self.most {
            return;
        }
        kept.push((key, value, size));
        while kept.iter().map(|(.., size)| size).sum::<usize>() > self.most {
            kept.remove(0);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Kept<K, V>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
