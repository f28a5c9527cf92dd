use super::*;
use crate::rng::{Purpose, Rng};

/// 60 groups of 1 to 60 samples, no two alike in size, and what the seed has to say.
#[test]
fn the_seed_counts_though_no_two_groups_are_of_a_size() {
    let rows = (1..=60).flat_map(|size| std::iter::repeat_n(size, size));
    let groups = Groups::new(rows.clone());
    let labels: Vec<u32> = rows.map(|size| size as u32 % 3).collect();
    let deal =
        |seed| groups.deal(&labels, &[0.5, 0.5], |_| false, &mut Rng::new(seed, Purpose::Folds, 0));
    let largest = |seed| deal(seed)[labels.len() - 1];
    assert!((0..20).any(|seed| largest(seed) != largest(0)), "the largest is always in one half");
    assert_ne!(deal(0), deal(1));
}

#[test]
fn a_class_of_two_groups_is_held_out_too() {
    // Twenty groups of class 0, two of class 1, one of class 2.
    let rows = (0..23).flat_map(|group| std::iter::repeat_n(group, 4));
    let groups = Groups::new(rows.clone());
    let labels: Vec<u32> = rows.map(|group| if group < 20 { 0 } else { 1 + group / 22 }).collect();
    for seed in 0..10 {
        let mut rng = Rng::new(seed, Purpose::HoldOut, 0);
        let parts = groups.deal(&labels, &[0.8, 0.2], |part| part == 1, &mut rng);
        let held_out = |k: u32| {
            labels.iter().zip(&parts).filter(|(y, part)| **y == k && **part == Some(1)).count()
        };
        assert_eq!((held_out(1), held_out(2)), (4, 0), "seed {seed}");
        assert_eq!(held_out(0), 16);
    }
}

/// One group a class, and two of equal size: what suits several parts alike goes to the emptiest.
#[test]
fn parts_that_suit_alike_take_turns() {
    for (per_class, shares) in [(1, vec![0.5; 2]), (2, vec![0.2; 5])] {
        let n_groups = 10 * per_class;
        let groups = Groups::new((0..3 * n_groups).map(|row| row / 3));
        let labels: Vec<u32> = (0..3 * n_groups).map(|row| (row / 3 / per_class) as u32).collect();
        for seed in 0..5 {
            let mut rng = Rng::new(seed, Purpose::Folds, 0);
            let parts = groups.deal(&labels, &shares, |_| false, &mut rng);
            for part in 0..shares.len() {
                let n = parts.iter().filter(|&&of| of == Some(part)).count();
                let fair = labels.len() / shares.len();
                assert!(3 * n >= 2 * fair && 2 * n <= 3 * fair, "part {part}: {n} of {fair}");
            }
        }
    }
}

/// 60 groups of 1 to 6 samples of two of six classes.
fn grouped() -> (Groups, Vec<u32>) {
    let mut rng = Rng::new(3, Purpose::Order, 0);
    let (mut of, mut labels) = (vec![], vec![]);
    for group in 0..60 {
        let classes = [rng.below(6) as u32, rng.below(6) as u32];
        for _ in 0..=rng.below(6) {
            of.push(format!("patient {group}"));
            labels.push(classes[rng.below(2)]);
        }
    }
    (Groups::new(of), labels)
}

#[test]
fn groups_stay_whole_and_classes_are_shared_out() {
    let (groups, labels) = grouped();
    let shares = [0.6, 0.2, 0.2];
    let deal =
        |seed| groups.deal(&labels, &shares, |_| false, &mut Rng::new(seed, Purpose::Folds, 0));
    let parts = deal(0);
    assert_eq!(parts, deal(0));
    assert_ne!(parts, deal(1));
    for (row, part) in parts.iter().enumerate() {
        let first = groups.each().iter().position(|&group| group == groups.each()[row]);
        assert_eq!(*part, parts[first.unwrap()], "a group in two parts");
    }
    for k in 0..6 {
        let of = |part: Option<usize>| {
            let rows = labels.iter().zip(&parts);
            rows.filter(|(y, p)| **y == k && (part.is_none() || **p == part)).count() as f64
        };
        for (part, share) in shares.iter().enumerate() {
            let off = of(Some(part)) - share * of(None);
            assert!(off.abs() <= 6.0, "class {k}, part {part}: off by {off}");
        }
    }
}

#[test]
fn no_part_takes_all_of_a_class_where_some_must_be_left() {
    // Class 1 is in one group only, class 2 in two.
    let groups = Groups::new(["a", "a", "b", "b", "c", "c", "d", "e"]);
    let labels = [0, 0, 0, 1, 0, 2, 2, 0];
    for seed in 0..20 {
        let mut rng = Rng::new(seed, Purpose::Folds, 0);
        let parts = groups.deal(&labels, &[0.5, 0.5], |_| true, &mut rng);
        assert_eq!((parts[2], parts[3]), (None, None), "the only group of class 1");
        assert!(parts[5].is_none() || parts[6].is_none() || parts[5] != parts[6], "{parts:?}");
    }
}
