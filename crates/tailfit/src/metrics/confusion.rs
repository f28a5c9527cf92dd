//! The pairs of classes that a head mixes up most.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Pairs that are kept.
const KEPT: usize = 20;

/// Samples of one class that are taken for another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confusion {
    /// The class that they are of.
    pub class: u32,
    /// The class predicted.
    pub taken_for: u32,
    /// How many.
    pub samples: u32,
}

/// Counts of pairs, by class and prediction.
pub(super) type Pairs = BTreeMap<(u32, u32), u32>;

/// Counts a sample that is wrong: what it is taken for is the other class with the largest logit.
pub(super) fn add(pairs: &mut Pairs, label: u32, z: &[f64]) {
    let others = (0..z.len()).filter(|&class| class != label as usize);
    if let Some(taken) = others.reduce(|best, class| if z[class] > z[best] { class } else { best })
    {
        *pairs.entry((label, taken as u32)).or_default() += 1;
    }
}

/// The most frequent pairs, most frequent first.
pub(super) fn most(pairs: Pairs) -> Vec<Confusion> {
    let of = |((class, taken_for), samples)| Confusion { class, taken_for, samples };
    let mut all: Vec<Confusion> = pairs.into_iter().map(of).collect();
    all.sort_by_key(|pair| std::cmp::Reverse(pair.samples));
    all.truncate(KEPT);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_first() {
        let mut pairs = Pairs::new();
        add(&mut pairs, 0, &[1.0, 5.0, 2.0]);
        for _ in 0..2 {
            // Its own logit is the largest, but single precision decided that it is wrong.
            add(&mut pairs, 1, &[1.0, 3.0, 2.0]);
        }
        let pair = |class, taken_for, samples| Confusion { class, taken_for, samples };
        assert_eq!(most(pairs), [pair(1, 2, 2), pair(0, 1, 1)]);
    }
}
