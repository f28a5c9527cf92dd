//! The mean of several heads.

use ndarray::{Array1, Array2};

use super::Head;
use crate::error::{Error, Result};

impl Head {
    /// The head whose logits are the weighted mean of those of several heads, such as of several seeds
    /// or two methods; `weights` count relative to their sum, and equally if there are none. Each head
    /// brings its logits as they are: where one's are much larger than another's, it decides alone.
    ///
    /// # Errors
    ///
    /// If there are no heads, they differ in shape or in what they do to features, one has a gate, whose
    /// mean is no head, or there are not as many weights, all at least 0 and not all 0.
    pub fn average(heads: &[Self], weights: Option<&[f64]>) -> Result<Self> {
        let Some(first) = heads.first() else {
            return Err(Error::usage("heads", "at least one", "none", ""));
        };
        let equal = vec![1.0; heads.len()];
        let weights = weights.unwrap_or(&equal);
        let sum: f64 = weights.iter().sum();
        let fit =
            weights.len() == heads.len() && weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        if !fit || sum <= 0.0 || !sum.is_finite() {
            let expected = format!("{} numbers of at least 0, not all 0", heads.len());
            return Err(Error::usage("weights", expected, format!("{weights:?}"), ""));
        }
        let (mut weight, mut bias) =
            (Array2::zeros(first.weight.dim()), Array1::zeros(first.n_classes()));
        for (number, (head, share)) in heads.iter().zip(weights).enumerate() {
            let place = format!("head {}", number + 1);
            if head.weight.dim() != first.weight.dim() {
                let [expected, found] =
                    [first, head].map(|head| format!("{:?}", head.weight.dim()));
                return Err(Error::data(place, format!("shape {expected}"), found, ""));
            }
            if head.gate.is_some() {
                let expected = "a head without a gate, since the mean of gates is none";
                return Err(Error::data(place, expected, "one with a gate", ""));
            }
            let sees = |head: &Self| (head.normalise_features, head.centre.clone());
            if sees(head) != sees(first) {
                let expected =
                    "features divided by their norm, about the same centre, in all or none";
                return Err(Error::data(place, expected, "another", ""));
            }
            weight.scaled_add(share / sum, &head.weight);
            bias.scaled_add(share / sum, &head.bias);
        }
        Ok(Self { weight, bias, ..first.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::head::Gate;
    use ndarray::array;

    #[test]
    fn logits_are_averaged_and_what_cannot_be_is_refused() {
        let a = Head::linear(array![[3.0, 4.0], [0.0, 1.0]], array![0.5, 0.0]);
        let b = Head::linear(array![[-1.0, 2.0], [5.0, 1.0]], array![0.0, 1.5]);
        let x = array![[1.0, 2.0], [-3.0, 0.5]];
        let mean = Head::average(&[a.clone(), b.clone()], Some(&[3.0, 1.0])).unwrap();
        assert_eq!(mean.logits(x.view()), a.logits(x.view()) * 0.75 + b.logits(x.view()) * 0.25);
        assert_eq!(Head::average(std::slice::from_ref(&a), None).unwrap(), a);

        let message =
            |heads: &[Head], weights| Head::average(heads, weights).unwrap_err().to_string();
        assert!(message(&[], None).contains("at least one"));
        for weights in [&[1.0][..], &[1.0, -1.0], &[0.0, 0.0], &[f64::NAN, 1.0]] {
            assert!(
                message(&[a.clone(), b.clone()], Some(weights)).contains("2 numbers of at least 0")
            );
        }
        assert!(
            message(&[a.clone(), Head::zeros(3, 2)], None)
                .contains("head 2: expected shape (2, 2)")
        );
        let cosine = Head { normalise_features: true, ..b.clone() };
        assert!(message(&[a.clone(), cosine], None).contains("in all or none"));
        let (weight, scale) = (array![0.0, 0.0], array![1.0, 1.0]);
        let gate = Gate { weight, bias: 0.0, scale: scale.clone(), shift: scale };
        let gated = Head { gate: Some(gate), ..b };
        assert!(message(&[a, gated], None).contains("head 2: expected a head without a gate"));
    }
}
