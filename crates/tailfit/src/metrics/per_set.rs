//! The scored sets (test, and validation if there is one) and their halves.

use serde::{Deserialize, Serialize};

use crate::groups::Groups;
use crate::rng::{Purpose, Rng};

/// One value per scored set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerSet<T> {
    /// The test set's value.
    pub test: T,
    /// The validation set's value, if there is one.
    pub validation: Option<T>,
}

impl<T> PerSet<T> {
    /// The same, by reference.
    pub(crate) fn as_ref(&self) -> PerSet<&T> {
        PerSet { test: &self.test, validation: self.validation.as_ref() }
    }

    /// Applies `change` to each value.
    pub(crate) fn map<U>(self, mut change: impl FnMut(T) -> U) -> PerSet<U> {
        PerSet { test: change(self.test), validation: self.validation.map(change) }
    }

    /// Pairs each value with that of `other`.
    pub(crate) fn zip<U>(self, other: PerSet<U>) -> PerSet<(T, U)> {
        PerSet { test: (self.test, other.test), validation: self.validation.zip(other.validation) }
    }
}

/// The part of the test set that a score is taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TestPart {
    /// The whole set.
    All,
    /// Half 0.
    HalfA,
    /// Half 1.
    HalfB,
}

impl TestPart {
    /// Number of the half; `None` for the whole set.
    pub fn half(self) -> Option<u8> {
        match self {
            Self::All => None,
            Self::HalfA => Some(0),
            Self::HalfB => Some(1),
        }
    }

    /// Whether it contains the samples of half `half`.
    pub fn contains(self, half: u8) -> bool {
        self.half().is_none_or(|own| own == half)
    }
}

/// Number of samples of each class in each half of a set: all of them, or those a head got right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassTally {
    by_half: [Vec<u32>; 2],
}

impl ClassTally {
    /// An empty tally over `n_classes` classes.
    pub fn new(n_classes: usize) -> Self {
        Self { by_half: [(); 2].map(|()| vec![0; n_classes]) }
    }

    /// The tally of samples with these labels and halves.
    pub fn of(labels: &[u32], halves: &[u8], n_classes: usize) -> Self {
        let mut tally = Self::new(n_classes);
        for (&label, &half) in labels.iter().zip(halves) {
            tally.add(label, half, true);
        }
        tally
    }

    /// Adds a sample if it `counts`.
    #[inline(always)]
    pub(crate) fn add(&mut self, label: u32, half: u8, counts: bool) {
        self.by_half[usize::from(half)][label as usize] += u32::from(counts);
    }

    /// Adds the samples of another tally.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (own, other) in self.by_half.iter_mut().zip(&other.by_half) {
            own.iter_mut().zip(other).for_each(|(own, other)| *own += other);
        }
    }

    /// Samples of each class in a part of the set, `[K]`.
    pub fn in_part(&self, part: TestPart) -> Vec<u32> {
        match part.half() {
            Some(half) => self.by_half[usize::from(half)].clone(),
            None => self.by_half[0].iter().zip(&self.by_half[1]).map(|(a, b)| a + b).collect(),
        }
    }
}

/// The half (0 or 1) each sample is in. Each class is shuffled and split evenly; odd samples go
/// to the two halves in turn. Groups, if there are any, are dealt out whole instead. A function of
/// labels, groups and seed alone.
pub fn halves(labels: &[u32], groups: Option<&Groups>, seed: u64) -> Vec<u8> {
    if let Some(groups) = groups {
        let mut rng = Rng::new(seed, Purpose::Folds, 0);
        let parts = groups.deal(labels, &[0.5, 0.5], |_| false, &mut rng);
        return parts.into_iter().map(|part| part.unwrap_or(0) as u8).collect();
    }
    let n_classes = labels.iter().max().map_or(0, |&max| max as usize + 1);
    let mut rows: Vec<Vec<usize>> = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        rows[label as usize].push(row);
    }
    let mut halves = vec![0; labels.len()];
    let mut rng = Rng::new(seed, Purpose::Folds, 0);
    let mut turn = 0;
    for class in &mut rows {
        rng.shuffle(class);
        for row in class.iter() {
            halves[*row] = turn;
            turn = 1 - turn;
        }
    }
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_stratified_and_follow_the_seed() {
        let labels: Vec<u32> = (0..103).map(|i| i % 10).collect();
        let split = halves(&labels, None, 3);
        assert_eq!(split, halves(&labels, None, 3));
        assert_ne!(split, halves(&labels, None, 4));
        let tally = ClassTally::of(&labels, &split, 10);
        let [a, b] = [TestPart::HalfA, TestPart::HalfB].map(|part| tally.in_part(part));
        assert!(a.iter().zip(&b).all(|(a, b)| a.abs_diff(*b) <= 1), "{a:?} {b:?}");
        assert!(a.iter().sum::<u32>().abs_diff(51) <= 1);
        assert_eq!(tally.in_part(TestPart::All).iter().sum::<u32>(), 103);
    }
}
