//! Streams of images: which images a pass sees in which order, and how each is augmented.

use tailfit::recipe::Sampler;

use crate::augment::Preparation;
use crate::data::ImageData;
use crate::systems::Stream;

/// The streams of an epoch: the recipe's own, and those of its system. A stream without a sampler of
/// its own sees the same images in the same order.
pub(crate) fn streams(
    data: &ImageData,
    (own, sampler): (Preparation, Sampler),
    further: &[Stream],
    (seed, epoch, epochs): (u64, usize, usize),
) -> Vec<(Vec<u32>, Preparation)> {
    let first = data.order(sampler, seed, epoch, epochs);
    let stream = |(number, stream): (usize, &Stream)| {
        let drawn = |sampler| data.order(sampler, of_stream(seed, number + 1), epoch, epochs);
        let augmentation = stream.augmentation.unwrap_or(own.augmentation);
        (stream.sampler.map_or(first.clone(), drawn), Preparation { augmentation, ..own })
    };
    let further: Vec<_> = further.iter().enumerate().map(stream).collect();
    std::iter::once((first, own)).chain(further).collect()
}

/// The place of an image for its augmentation: no two streams share one.
pub(crate) fn placed(stream: usize, place: usize) -> usize {
    (stream << 28) + place
}

/// The seed of the order that a further stream draws.
pub(crate) fn of_stream(seed: u64, stream: usize) -> u64 {
    seed ^ ((stream as u64) << 56)
}

#[cfg(test)]
mod tests {
    use tailfit::images::{Images, Kept, LongTail, Profile, Split};
    use tailfit::shots::ShotThresholds;

    use super::*;
    use crate::augment::Augmentation;
    use crate::recipe::BackboneRecipe;

    /// A further view is of the same images in the same order, a stream with a sampler of others; each
    /// has places of its own.
    #[test]
    fn views_share_their_images_and_samplers_do_not() {
        let images = || {
            let labels = (0..40).map(|i| i % 2).collect();
            Images::in_memory(vec![0; 40 * 3], (1, 1), labels, 2)
        };
        let rule = LongTail { profile: Profile::Step, imbalance_ratio: 10.0 };
        let thresholds = ShotThresholds::default();
        let labels = images().labels;
        let split = Split::cut(&labels, 2, rule, Kept::FirstN, 0, thresholds).unwrap();
        let data = ImageData::new([images(), images()], split).unwrap();
        let own = BackboneRecipe::default().preparation();
        let further = [
            Stream { sampler: None, augmentation: Some(Augmentation::Auto) },
            Stream { sampler: Some(Sampler::Power { q: -1.0 }), augmentation: None },
        ];
        let streams = streams(&data, (own, Sampler::InstanceBalanced), &further, (1, 0, 1));
        let [(first, _), (view, prepared), (other, as_own)] = &streams[..] else { panic!() };
        assert!(first == view && first != other);
        assert_eq!(
            (prepared.augmentation, as_own.augmentation),
            (Augmentation::Auto, own.augmentation)
        );
        assert_eq!((first.len(), other.len()), (22, 22));
        let rare = |order: &[u32]| order.iter().filter(|&&row| row % 2 == 1).count();
        assert!(rare(first) == 2 && rare(other) > 11, "{}", rare(other));
        assert!(placed(0, (1 << 28) - 1) < placed(1, 0) && placed(15, 0) < 1 << 32);
    }
}
