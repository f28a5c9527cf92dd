use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::files::read_text;

/// How frequent the classes are where predictions are made.
#[derive(Clone, Debug, PartialEq)]
pub enum TargetPrior {
    /// All alike.
    Uniform,
    /// As in the training set.
    AsTrained,
    /// Long-tailed as the training set is, from the most frequent class there to the rarest, with
    /// this ratio between the two: the "forward" tests of Hong et al., CVPR 2021.
    Forward(f64),
    /// The same the other way round: its "backward" tests.
    Backward(f64),
    /// As estimated from the features that predictions are made for; see
    /// [`estimate_prior`](super::estimate_prior) and
    /// [`estimate_prior_by_confusion`](super::estimate_prior_by_confusion).
    Estimated,
    /// Numbers in a text file, one for each class, which need not sum to 1.
    File(PathBuf),
}

/// Reads `uniform`, `as-trained`, `forward-R`, `backward-R` with a number R ≥ 1, `estimated`, or the
/// name of a file.
impl FromStr for TargetPrior {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let ratio = |text: &str| {
            let ratio = text.parse().ok().filter(|ratio: &f64| ratio.is_finite() && *ratio >= 1.0);
            ratio.ok_or_else(|| format!("expected a ratio of at least 1, not `{text}`"))
        };
        if let Some(text) = text.strip_prefix("forward-") {
            return ratio(text).map(Self::Forward);
        }
        if let Some(text) = text.strip_prefix("backward-") {
            return ratio(text).map(Self::Backward);
        }
        Ok(match text {
            "uniform" => Self::Uniform,
            "as-trained" => Self::AsTrained,
            "estimated" => Self::Estimated,
            file => Self::File(file.into()),
        })
    }
}

/// As it is read.
impl Display for TargetPrior {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::AsTrained => f.write_str("as-trained"),
            Self::Forward(ratio) => write!(f, "forward-{ratio}"),
            Self::Backward(ratio) => write!(f, "backward-{ratio}"),
            Self::Estimated => f.write_str("estimated"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl TargetPrior {
    /// The frequency of each class, `[K]`, with a sum of 1.
    ///
    /// # Errors
    ///
    /// If it is to be estimated, training counts are needed and not known, or the file does not have a
    /// number of at least 0 for each class, with one above 0.
    pub fn frequencies(&self, n_classes: usize, counts: Option<&ClassCounts>) -> Result<Vec<f64>> {
        let counts = || {
            let remedy = "give a file with the frequency of each class";
            counts.ok_or_else(|| {
                let found = "a head whose file does not say them";
                Error::usage("target prior", "the training set's class counts", found, remedy)
            })
        };
        let raw = match self {
            Self::Uniform => vec![1.0; n_classes],
            Self::AsTrained => counts()?.frequencies(),
            Self::Forward(ratio) => long_tail(*ratio, counts()?),
            Self::Backward(ratio) => long_tail(1.0 / ratio, counts()?),
            Self::Estimated => {
                let expected = "frequencies that are known";
                return Err(Error::usage("target prior", expected, "`estimated`", ""));
            }
            Self::File(path) => read(path, n_classes)?,
        };
        let sum: f64 = raw.iter().sum();
        Ok(raw.into_iter().map(|value| value / sum).collect())
    }
}

/// ratio^(−rank / (K − 1)), the most frequent class in training having rank 0.
fn long_tail(ratio: f64, counts: &ClassCounts) -> Vec<f64> {
    let counts = counts.as_slice();
    let mut order: Vec<usize> = (0..counts.len()).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(counts[class]));
    let last = (counts.len() - 1).max(1) as f64;
    let mut raw = vec![0.0; counts.len()];
    for (rank, class) in order.into_iter().enumerate() {
        raw[class] = ratio.powf(-(rank as f64) / last);
    }
    raw
}

fn read(path: &std::path::Path, n_classes: usize) -> Result<Vec<f64>> {
    let place = path.display();
    let text = read_text(path).map_err(|error| {
        let expected =
            "uniform, as-trained, forward-R, backward-R, estimated, or a file of numbers";
        Error::usage("target prior", expected, error, "")
    })?;
    let words = text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty());
    let numbers = words.enumerate().map(|(number, word)| {
        let value = word.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
        value.ok_or_else(|| {
            let at = format!("{place}, number {}", number + 1);
            Error::data(at, "a number of at least 0", format!("`{word}`"), "")
        })
    });
    let numbers = numbers.collect::<Result<Vec<f64>>>()?;
    if numbers.len() != n_classes {
        let expected = format!("{n_classes} numbers, one for each class");
        return Err(Error::data(place, expected, numbers.len(), ""));
    }
    if numbers.iter().sum::<f64>() <= 0.0 {
        return Err(Error::data(place, "a number above 0", "only zeros", ""));
    }
    Ok(numbers)
}

/// What is added to logits that assume classes as frequent as `from` for classes as frequent as `to`:
/// log to − log from, `[K]`. A class with no frequency in `to` is never predicted.
///
/// Source: Saerens et al., Neural Computation 2002, eq. 2.4.
pub fn log_ratio(to: &[f64], from: &[f64]) -> Vec<f64> {
    to.iter().zip(from).map(|(to, from)| (to / from).ln().max(f64::MIN)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_follows_the_training_counts_and_backward_reverses_them() {
        let counts = ClassCounts::new(vec![5, 100, 20]).unwrap();
        let of = |text: &str| {
            text.parse::<TargetPrior>().unwrap().frequencies(3, Some(&counts)).unwrap()
        };
        let forward = of("forward-100");
        assert!((forward[1] / forward[0] - 100.0).abs() < 1e-9);
        assert!((forward[1] / forward[2] - 10.0).abs() < 1e-9);
        let backward = of("backward-100");
        assert!((backward[0] / backward[1] - 100.0).abs() < 1e-9);
        assert_eq!(of("uniform"), [1.0 / 3.0; 3]);
        assert_eq!(of("as-trained"), [0.04, 0.8, 0.16]);
        assert!("forward-0.5".parse::<TargetPrior>().is_err());
        assert!(TargetPrior::AsTrained.frequencies(3, None).is_err());
    }
}
