//! Which samples a head gets right.

use serde::{Deserialize, Serialize};

/// Which samples are scored right, class after class, and within a class in the order of the set:
/// what it takes to compare two heads sample by sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Right {
    /// Samples of each class, `[K]`.
    samples: Vec<u32>,
    /// A bit for each sample, first the highest of each of the hexadecimal digits.
    bits: String,
    /// The number of each sample's group, in the same order, separated by spaces, if samples belong
    /// together.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    groups: String,
}

impl Right {
    /// From the class of each sample, whether it is right, and its group if it has one.
    pub(crate) fn new(
        samples: &[u32],
        each: impl Iterator<Item = (u32, bool, Option<u32>)>,
    ) -> Self {
        let mut next: Vec<usize> = samples
            .iter()
            .scan(0, |sum, &n| Some(std::mem::replace(sum, *sum + n as usize)))
            .collect();
        let total: usize = samples.iter().map(|&n| n as usize).sum();
        let mut digits = vec![0_u8; total.div_ceil(4)];
        let mut groups = vec![];
        for (label, right, group) in each {
            let at = &mut next[label as usize];
            if let Some(group) = group {
                groups.resize(total, 0);
                groups[*at] = group;
            }
            digits[*at / 4] |= u8::from(right) << (3 - *at % 4);
            *at += 1;
        }
        let bits =
            digits.into_iter().map(|d| char::from(b"0123456789abcdef"[d as usize])).collect();
        let groups: Vec<String> = groups.iter().map(u32::to_string).collect();
        Self { samples: samples.to_vec(), bits, groups: groups.join(" ") }
    }

    /// Whether nothing is known, as in records of earlier versions.
    pub fn is_unknown(&self) -> bool {
        self.bits.is_empty()
    }

    /// Samples of each class, `[K]`.
    pub fn samples(&self) -> &[u32] {
        &self.samples
    }

    /// The number of each sample's group, class after class, below the number of samples; empty if no
    /// samples belong together, and `None` if the record does not say it for every sample.
    pub fn groups(&self) -> Option<Vec<u32>> {
        let groups = self.groups.split_whitespace().map(|number| number.parse().ok());
        let groups: Vec<u32> = groups.collect::<Option<_>>()?;
        let total: usize = self.samples.iter().map(|&n| n as usize).sum();
        let fits = groups.len() == total && groups.iter().all(|&group| (group as usize) < total);
        (groups.is_empty() || fits).then_some(groups)
    }

    /// Whether each sample is right, class after class; `None` if nothing is known.
    pub fn each(&self) -> Option<Vec<bool>> {
        let total: usize = self.samples.iter().map(|&n| n as usize).sum();
        let digits = self.bits.chars().map(|digit| digit.to_digit(16));
        let digits: Vec<u32> = digits.collect::<Option<_>>()?;
        let fits = total > 0 && digits.len() == total.div_ceil(4);
        fits.then(|| (0..total).map(|i| digits[i / 4] >> (3 - i % 4) & 1 == 1).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_by_class_and_come_back() {
        let each = [(1, true), (0, false), (1, false), (0, true), (1, true)];
        let ungrouped = each.into_iter().map(|(label, right)| (label, right, None));
        let right = Right::new(&[2, 3], ungrouped);
        let grouped = each.into_iter().zip([7, 5, 7, 6, 8]);
        let grouped = grouped.map(|((label, right), group)| (label, right, Some(group)));
        assert_eq!(Right::new(&[2, 3], grouped).groups(), None, "a group beyond five");
        let grouped = each.into_iter().zip([2, 0, 2, 1, 3]);
        let grouped = grouped.map(|((label, right), group)| (label, right, Some(group)));
        assert_eq!(Right::new(&[2, 3], grouped).groups(), Some(vec![0, 1, 2, 2, 3]));
        assert_eq!((right.samples(), &right.bits[..]), (&[2, 3][..], "68"));
        assert_eq!(right.each(), Some(vec![false, true, true, false, true]));
        assert!(Right::default().each().is_none() && Right::default().is_unknown());
        let wrong = |bits: &str| Right { bits: bits.to_owned(), ..right.clone() }.each();
        assert_eq!((wrong("6"), wrong("6z")), (None, None));
    }
}
