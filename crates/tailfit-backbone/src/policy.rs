//! AutoAugment's policy for CIFAR.

use image::RgbImage;
use tailfit::rng::Rng;

use crate::operations::{Property, auto_contrast, change, equalise, invert, posterise, solarise};
use crate::warp::{rotate, shear, translate};

/// An operation of the policy. Its magnitude is an index m from 0 to 9; those that can go either way
/// draw their sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    /// By ±0.3 m / 9 pixels a pixel.
    ShearY,
    /// By ±150 / 331 · m / 9 of the side.
    TranslateX,
    TranslateY,
    /// By 30° m / 9, counter-clockwise.
    Rotate,
    /// By a factor of 1 ± 0.9 m / 9.
    Change(Property),
    /// To 8 − 4 m / 9 bits, rounded.
    Posterise,
    /// From a threshold of 256 − 256 m / 9.
    Solarise,
    AutoContrast,
    Equalise,
    Invert,
}

use Operation::{
    AutoContrast, Change, Equalise, Invert, Posterise, Rotate, ShearY, Solarise, TranslateX,
    TranslateY,
};
use Property::{Brightness, Contrast, Saturation, Sharpness};

/// An operation with its probability in tenths and its magnitude.
type Rule = (Operation, u8, u8);

/// The 25 pairs of Cubuk et al., "AutoAugment", CVPR 2019, table 7.
const POLICY: [[Rule; 2]; 25] = [
    [(Invert, 1, 7), (Change(Contrast), 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Change(Sharpness), 8, 1), (Change(Sharpness), 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 8), (Equalise, 9, 2)],
    [(ShearY, 2, 7), (Posterise, 3, 7)],
    [(Change(Saturation), 4, 3), (Change(Brightness), 6, 7)],
    [(Change(Sharpness), 3, 9), (Change(Brightness), 7, 9)],
    [(Equalise, 6, 5), (Equalise, 5, 1)],
    [(Change(Contrast), 6, 7), (Change(Sharpness), 6, 5)],
    [(Change(Saturation), 7, 7), (TranslateX, 5, 8)],
    [(Equalise, 3, 7), (AutoContrast, 4, 8)],
    [(TranslateY, 4, 3), (Change(Sharpness), 2, 6)],
    [(Change(Brightness), 9, 6), (Change(Saturation), 2, 8)],
    [(Solarise, 5, 2), (Invert, 0, 3)],
    [(Equalise, 2, 0), (AutoContrast, 6, 0)],
    [(Equalise, 2, 8), (Equalise, 6, 4)],
    [(Change(Saturation), 9, 9), (Equalise, 6, 6)],
    [(AutoContrast, 8, 4), (Solarise, 2, 8)],
    [(Change(Brightness), 1, 3), (Change(Saturation), 7, 0)],
    [(Solarise, 4, 5), (AutoContrast, 9, 3)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 2), (Solarise, 8, 3)],
    [(Equalise, 8, 8), (Invert, 1, 3)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 1)],
];

/// Applies one of the policy's pairs, each of its operations with its own probability.
pub(crate) fn auto_augment(image: &mut RgbImage, rng: &mut Rng) {
    for (operation, tenths, magnitude) in POLICY[rng.below(POLICY.len())] {
        if rng.uniform() < f64::from(tenths) / 10.0 {
            let negative = rng.below(2) == 1;
            operation.apply(image, magnitude, if negative { -1.0 } else { 1.0 });
        }
    }
}

impl Operation {
    fn apply(self, image: &mut RgbImage, magnitude: u8, sign: f64) {
        let share = f64::from(magnitude) / 9.0;
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let by = sign * 150.0 / 331.0 * share;
        match self {
            ShearY => *image = shear(image, sign * 0.3 * share),
            TranslateX => *image = translate(image, (by * width, 0.0)),
            TranslateY => *image = translate(image, (0.0, by * height)),
            Rotate => *image = rotate(image, 30.0 * share),
            Change(property) => change(image, property, (1.0 + sign * 0.9 * share) as f32),
            Posterise => posterise(image, (8.0 - 4.0 * share).round_ties_even() as u32),
            Solarise => solarise(image, 256.0 - 256.0 * share),
            AutoContrast => auto_contrast(image),
            Equalise => equalise(image),
            Invert => invert(image),
        }
    }
}

#[cfg(test)]
mod tests {
    use tailfit::rng::Purpose;

    use super::*;
    use crate::pillow::{bytes, image, pillow};

    #[test]
    fn every_operation_is_pillows() {
        let names = [
            ("shear-y", ShearY),
            ("translate-x", TranslateX),
            ("translate-y", TranslateY),
            ("rotate", Rotate),
            ("colour", Change(Saturation)),
            ("contrast", Change(Contrast)),
            ("brightness", Change(Brightness)),
            ("sharpness", Change(Sharpness)),
            ("posterise", Posterise),
            ("solarise", Solarise),
            ("auto-contrast", AutoContrast),
            ("equalise", Equalise),
            ("equalise-large", Equalise),
            ("invert", Invert),
        ];
        let pillow = pillow();
        let cases = pillow["operations"].as_object().unwrap();
        let mut unseen: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        for (case, wanted) in cases {
            let words: Vec<&str> = case.split(' ').collect();
            let [name, sign, magnitude] = words[..] else { panic!("{case}") };
            let operation = names.iter().find(|(known, _)| *known == name).unwrap().1;
            let mut image = match name {
                "auto-contrast" => dull(),
                "equalise-large" => large(),
                _ => image(),
            };
            operation.apply(&mut image, magnitude.parse().unwrap(), sign.parse().unwrap());
            let off: Vec<_> = image.iter().zip(bytes(wanted)).filter(|(a, b)| *a != b).collect();
            assert!(off.is_empty(), "{case}: {} off, {:?}", off.len(), &off[..off.len().min(5)]);
            unseen.retain(|unseen| *unseen != name);
        }
        assert!(unseen.is_empty(), "{unseen:?}");
    }

    /// As in `tests/pillow/pillow.py`.
    fn dull() -> RgbImage {
        let mut image = image();
        image.iter_mut().for_each(|value| *value = 60 + *value / 4);
        image
    }

    fn large() -> RgbImage {
        let image = image();
        let from = |at: u32, length: u32, new: u32| {
            ((f64::from(at) + 0.5) * f64::from(length) / f64::from(new)) as u32
        };
        RgbImage::from_fn(40, 30, |x, y| *image.get_pixel(from(x, 13, 40), from(y, 9, 30)))
    }

    /// Every pair, both operations of it forced, against a table typed from the paper.
    #[test]
    fn the_pairs_are_the_papers() {
        let pillow = pillow();
        let pairs = pillow["policy"].as_array().unwrap();
        assert_eq!(pairs.len(), POLICY.len());
        for (i, (pair, rules)) in pairs.iter().zip(POLICY).enumerate() {
            for (sign, name) in [(1.0, "plus"), (-1.0, "minus")] {
                let mut image = large();
                for (operation, _, magnitude) in rules {
                    operation.apply(&mut image, magnitude, sign);
                }
                let part = image::imageops::crop_imm(&image, 8, 6, 12, 9).to_image();
                assert!(part.into_raw() == bytes(&pair[name]), "pair {i}, {name}");
            }
            let probabilities = rules.map(|(_, tenths, _)| f64::from(tenths) / 10.0);
            assert_eq!(pair["probabilities"], serde_json::json!(probabilities), "pair {i}");
        }
    }

    /// How often images change is what the probabilities make of it.
    #[test]
    fn the_policy_draws_what_it_says() {
        let [mut changed, n] = [0, 4000];
        for index in 0..n {
            let mut image = image();
            auto_augment(&mut image, &mut Rng::new(1, Purpose::Augmentation, index));
            changed += u64::from(image != crate::pillow::image());
        }
        // Equalising such a small image does nothing, nor do magnitude 0 and probability 0.
        let does = |(operation, tenths, magnitude): Rule| {
            let idle = operation == Equalise || (matches!(operation, Change(_)) && magnitude == 0);
            if idle { 0.0 } else { f64::from(tenths) / 10.0 }
        };
        let share = |pair: &[Rule; 2]| 1.0 - pair.iter().map(|r| 1.0 - does(*r)).product::<f64>();
        let wanted = POLICY.iter().map(share).sum::<f64>() / 25.0;
        let found = changed as f64 / n as f64;
        assert!((found - wanted).abs() < 0.03, "{found} against {wanted}");
    }
}
