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
}

impl Right {
    /// From the class of each sample, and whether it is right.
    pub(crate) fn new(samples: &[u32], each: impl Iterator<Item = (u32, bool)>) -> Self {
        let mut next: Vec<usize> = samples
            .iter()
            .scan(0, |sum, &n| Some(std::mem::replace(sum, *sum + n as usize)))
            .collect();
        let total: usize = samples.iter().map(|&n| n as usize).sum();
        let mut digits = vec![0_u8; total.div_ceil(4)];
        for (label, right) in each {
            let at = &mut next[label as usize];
            digits[*at / 4] |= u8::from(right) << (3 - *at % 4);
            *at += 1;
        }
        let bits =
            digits.into_iter().map(|d| char::from(b"0123456789abcdef"[d as usize])).collect();
        Self { samples: samples.to_vec(), bits }
    }

    /// Whether nothing is known, as in records of earlier versions.
    pub fn is_unknown(&self) -> bool {
        self.bits.is_empty()
    }

    /// Samples of each class, `[K]`.
    pub fn samples(&self) -> &[u32] {
        &self.samples
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
        let right = Right::new(&[2, 3], each.into_iter());
        assert_eq!((right.samples(), &right.bits[..]), (&[2, 3][..], "68"));
        assert_eq!(right.each(), Some(vec![false, true, true, false, true]));
        assert!(Right::default().each().is_none() && Right::default().is_unknown());
        let wrong = |bits: &str| Right { bits: bits.to_owned(), ..right.clone() }.each();
        assert_eq!((wrong("6"), wrong("6z")), (None, None));
    }
}
