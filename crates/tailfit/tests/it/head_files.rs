//! Heads that are more than a linear layer, in their files.

use std::collections::HashMap;

use ndarray::{Array1, Array2};
use tailfit::features::{Features, HeadFile, Reading, load_head, save_head};
use tailfit::groups::Groups;
use tailfit::head::{Gate, Head};

use crate::forms::{f32s, features, message, safetensors};

/// Groups in files of named arrays: of any name if it is given, whole numbers of any size, or text.
#[test]
fn groups_are_read_from_an_array() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let ids = |ids: [i64; 3]| ids.iter().flat_map(|id| id.to_le_bytes()).collect::<Vec<u8>>();
    let file = |name: &'static str, dtype: &'static str, data: Vec<u8>| {
        let labels = ("labels", "U8", &[3][..], vec![0, 1, 0]);
        safetensors(
            &path,
            &[("X", "F32", &[3, 2], features(3, 2)), labels, (name, dtype, &[3], data)],
        )
    };
    let read = |path: std::path::PathBuf, group_column| {
        Features::read(&[path], &Reading { group_column, ..Reading::default() })
    };
    let large = ids([5_000_000_000, -1, 5_000_000_000]);
    let of = read(file("groups", "I64", large.clone()), None).unwrap().groups.unwrap();
    assert_eq!(of, Groups::new(["5000000000", "-1", "5000000000"]));
    assert_eq!(
        read(file("patient", "I64", large.clone()), Some("patient")).unwrap().groups,
        Some(of)
    );
    assert!(read(file("patient", "I64", large.clone()), None).unwrap().groups.is_none());
    let said = message(read(file("patient", "I64", large), Some("pateint")));
    assert!(said.contains("did you mean `patient`?"), "{said}");
    let said = message(read(file("groups", "F32", f32s(&[0.5, 1.0, 2.0])), None));
    assert!(said.contains("a whole number below 2^53, or text, found 0.5"), "{said}");
}

#[test]
fn a_gate_and_a_centre_come_back_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gated.safetensors");
    let row = |n: usize, by: f64| Array1::from_shape_fn(n, |i| by * (i as f64 + 1.0));
    let gate = Gate { weight: row(3, 0.5), bias: -0.25, scale: row(2, 2.0), shift: row(2, -1.0) };
    let mut head = Head::linear(Array2::eye(2).dot(&Array2::ones((2, 3))), row(2, 1.5));
    for (gate, centre, applied) in [
        (Some(gate), None, "sigmoid(gate.weight @ features + gate.bias)"),
        (None, Some(row(3, 0.125)), "(features - centre) / ||features - centre||_2"),
    ] {
        (head.normalise_features, head.centre, head.gate) = (centre.is_some(), centre, gate);
        save_head(&path, &HeadFile::new(head.clone(), "fc", HashMap::new())).unwrap();
        let file = load_head(&path, None).unwrap();
        assert_eq!(file.head, head);
        assert!(file.metadata["apply"].contains(applied), "{:?}", file.metadata);
    }

    let half = [
        ("fc.weight", "F32", &[2, 3][..], features(2, 3)),
        ("fc.gate.weight", "F32", &[3][..], features(1, 3)),
    ];
    let said = message(load_head(&safetensors(&path, &half), None));
    assert!(said.contains("expected all of `gate.weight`"), "{said}");
    let wrong = [
        ("fc.weight", "F32", &[2, 3][..], features(2, 3)),
        ("fc.centre", "F32", &[2][..], features(1, 2)),
    ];
    let said = message(load_head(&safetensors(&path, &wrong), None));
    assert!(said.contains("fc.centre: expected shape [3], found [2]"), "{said}");
}
