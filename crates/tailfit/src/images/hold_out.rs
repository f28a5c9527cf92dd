//! A test set held out of a set that has none.

use crate::error::{Error, Result};
use crate::groups::Groups;
use crate::rng::{Purpose, Rng};

/// Rows to keep and rows to hold out, each in order, with groups kept together; see [`Split::hold_out`](super::Split::hold_out).
///
/// # Errors
///
/// If `percent` is not between 0 and 100, or a label is not below `n_classes`.
pub fn hold_out(
    labels: &[u32],
    groups: Option<&Groups>,
    n_classes: usize,
    percent: f64,
    seed: u64,
) -> Result<(Vec<u32>, Vec<u32>)> {
    if !(percent > 0.0 && percent < 100.0) {
        return Err(Error::usage("hold-out", "a percentage between 0 and 100", percent, ""));
    }
    if n_classes > labels.len() {
        let expected = format!("at most {} classes, one sample each", labels.len());
        let remedy = "number the classes 0, 1, 2, … without gaps";
        return Err(Error::data("labels", expected, format!("{n_classes} classes"), remedy));
    }
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); n_classes];
    for (row, &label) in labels.iter().enumerate() {
        let of_class = rows.get_mut(label as usize).ok_or_else(|| {
            Error::data("labels", format!("classes below {n_classes}"), label, "")
        })?;
        of_class.push(row as u32);
    }
    if let Some(groups) = groups {
        let shares = [1.0 - percent / 100.0, percent / 100.0];
        let mut rng = Rng::new(seed, Purpose::HoldOut, 0);
        let parts = groups.deal(labels, &shares, |part| part == 1, &mut rng);
        let is_held_out = |row: &u32| parts[*row as usize] == Some(1);
        let (held_out, kept) = (0..labels.len() as u32).partition(is_held_out);
        return Ok((kept, held_out));
    }
    let (mut kept, mut held_out) = (Vec::new(), Vec::new());
    for (class, mut rows) in rows.into_iter().enumerate() {
        let n = rows.len();
        let wanted = (n as f64 * percent / 100.0).round() as usize;
        let wanted = wanted.max(usize::from(n > 1)).min(n.saturating_sub(1));
        Rng::new(seed, Purpose::HoldOut, class as u64).shuffle(&mut rows);
        held_out.extend(&rows[..wanted]);
        kept.extend(&rows[wanted..]);
    }
    kept.sort_unstable();
    held_out.sort_unstable();
    Ok((kept, held_out))
}

#[cfg(test)]
mod tests {
    use crate::images::Split;
    use crate::shots::ShotThresholds;

    #[test]
    fn every_class_keeps_its_share_and_never_loses_all() {
        let labels = [vec![0; 50], vec![1; 10], vec![2; 2], vec![3]].concat();
        let cut =
            |percent, seed| Split::hold_out(&labels, 4, percent, seed, ShotThresholds::default());
        let split = cut(20.0, 0).unwrap();
        assert_eq!(split.counts, [40, 8, 1, 1]);
        let mut all = [split.train.clone(), split.test.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..63).collect::<Vec<u32>>(), "each once");
        assert_eq!(cut(20.0, 0).unwrap(), split);
        assert_ne!(cut(20.0, 1).unwrap().test, split.test);
        assert_eq!(cut(99.0, 0).unwrap().counts, [1, 1, 1, 1]);
        assert!(cut(100.0, 0).is_err() && cut(f64::NAN, 0).is_err());
        assert_eq!(Split::from_json(&split.to_json(), "").unwrap(), split);
        let edited =
            split.to_json().replace(&format!("\"test\":[{}", split.test[0]), "\"test\":[62");
        assert!(Split::from_json(&edited, "").is_err());
    }
}
