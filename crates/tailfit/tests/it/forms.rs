//! Features, labels and heads in the forms in which people have them: what is unambiguous is read,
//! for the rest the message says what to do.

use std::path::{Path, PathBuf};

use tailfit::features::{
    DataSet, Features, Matrix, Reading, Storage, load_head, save_head, shared_rows,
};
use tailfit::shots::ShotThresholds;

/// An npy file.
fn npy(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape = shape.iter().fold(String::new(), |text, n| format!("{text}{n}, "));
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), data].concat()
}

pub(crate) fn f32s(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

pub(crate) fn features(n: usize, d: usize) -> Vec<u8> {
    f32s(&(0..n * d).map(|i| (i as f32 * 0.7).sin()).collect::<Vec<_>>())
}

/// A safetensors file of (name, type, shape, data).
pub(crate) fn safetensors(path: &Path, tensors: &[(&str, &str, &[usize], Vec<u8>)]) -> PathBuf {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let offsets = [data.len(), data.len() + bytes.len()];
        let entry = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
        header.insert((*name).to_owned(), entry);
        data.extend(bytes);
    }
    let header = serde_json::to_string(&header).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    fs_err::write(path, [&length[..], header.as_bytes(), &data].concat()).unwrap();
    path.to_owned()
}

pub(crate) fn message<T: std::fmt::Debug>(result: tailfit::error::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn labels_of_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs_err::write(at("x.npy"), npy("<f4", &[4, 3], &features(4, 3))).unwrap();
    let read = |descr: &str, shape: &[usize], data: &[u8]| {
        fs_err::write(at("y.npy"), npy(descr, shape, data)).unwrap();
        Features::load(&at("x.npy"), Some(&at("y.npy")))
    };
    let utf32 =
        |text: &str| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<_>>();
    let one_hot = f32s(&[0., 1., 0., 1., 0., 0., 0., 0., 1., 0., 1., 0.]);
    for (descr, shape, data, wanted) in [
        ("|b1", &[4][..], vec![0, 1, 1, 0], [0, 1, 1, 0]),
        ("<f4", &[4], f32s(&[2.0, 0.0, 1.0, 1.0]), [2, 0, 1, 1]),
        ("|u1", &[4, 1], vec![3, 2, 1, 0], [3, 2, 1, 0]),
        ("<f4", &[4, 3], one_hot, [1, 0, 2, 1]),
        ("|u1", &[4, 2], vec![0, 1, 1, 0, 0, 1, 0, 1], [1, 0, 1, 1]),
        ("|S3", &[4], b"owlemuowlowl".to_vec(), [1, 0, 1, 1]),
        ("<U3", &[4], utf32("owlemuowlowl"), [1, 0, 1, 1]),
    ] {
        assert_eq!(read(descr, shape, &data).unwrap().labels, wanted, "{descr} {shape:?}");
    }
    let names = read("|S3", &[4], b"owlemuowlowl").unwrap().class_names.unwrap();
    assert_eq!(names, ["emu", "owl"]);
    for (descr, shape, data, said) in [
        (
            "<f4",
            &[4][..],
            f32s(&[0.5, 0.0, 1.0, 1.0]),
            "row 0: expected a class index 0, 1, 2, …, found 0.5",
        ),
        ("|i1", &[4], vec![0, 255, 1, 1], "x, y = x[keep], y[keep]"),
        ("<f4", &[4, 3], f32s(&[0.1; 12]), "save labels.argmax(axis=1)"),
        ("|u1", &[4, 2], vec![1, 1, 1, 0, 0, 1, 0, 1], "row 0: expected one class for each sample"),
        ("|S3", &[4], b"owl1\0\0owlowl".to_vec(), "row 1: expected a name, as before, found `1`"),
        ("|u1", &[2], vec![0, 1], "labels: expected shape [4], found [2]"),
    ] {
        let said_of = message(read(descr, shape, &data));
        assert!(said_of.contains(said), "`{said}` is not in: {said_of}");
    }
    // From 1 only if that is said.
    fs_err::write(at("y.txt"), "1\n2\n1\n2\n").unwrap();
    let labels = [at("y.txt")];
    let reading = |label_base| Reading { labels: &labels, label_base, ..Reading::default() };
    let read = |label_base| Features::read(&[at("x.npy")], &reading(label_base));
    assert_eq!(read(1).unwrap().labels, [0, 1, 0, 1]);
    assert!(message(read(2)).contains("row 0: expected a label from 2, found 1"));
    let from_1 = read(0).unwrap();
    let set = DataSet::new("x", from_1.clone(), from_1, None, None, ShotThresholds::default());
    assert!(message(set).contains("say that they are numbered from 1"));
}

#[test]
fn features_of_every_shape() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let labels = || ("targets", "BOOL", &[4][..], vec![0, 1, 0, 1]);
    let read = |shape: &[usize], data: Vec<u8>| {
        safetensors(&path, &[("embeddings", "F32", shape, data), labels()]);
        Features::load(&path, None)
    };
    let plain = read(&[4, 3], features(4, 3)).unwrap();
    assert_eq!((plain.dim(), &plain.labels[..]), (3, &[0, 1, 0, 1][..]));
    let pooled = read(&[4, 3, 1, 1], features(4, 3)).unwrap();
    assert_eq!(pooled.sha256().unwrap(), plain.sha256().unwrap());
    for (shape, said) in [
        (&[4, 5, 3][..], "pool the tokens first: x.mean(axis=1)"),
        (&[4, 3, 2, 2], "pool the positions first: x.mean(axis=(2, 3))"),
        (&[3, 4], "are the features transposed? save x.T"),
        (&[12], "save x.reshape(-1, 1)"),
        (&[1 << 62, 0], "at least one sample and one feature"),
        (&[], "two dimensions"),
    ] {
        let n = shape.iter().fold(1_usize, |n, &size| n.wrapping_mul(size));
        let said_of = message(read(shape, features(n, 1)));
        assert!(said_of.contains(said), "`{said}` is not in: {said_of}");
    }
    // A key twice, of which one would win in silence.
    let entry = r#""features": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]}"#;
    let header = format!("{{{entry}, {entry}}}");
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 4]].concat();
    let twice = Features::from_bytes(bytes, "safetensors", "x");
    assert!(message(twice).contains("`features` twice"));
}

#[test]
fn several_files_are_one_set_in_memory_or_left_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let part = |name: &str, from: usize, n: usize| {
        let values: Vec<f32> = (from * 3..(from + n) * 3).map(|i| (i as f32).sin()).collect();
        let views = [f32s(&values), f32s(&values[..].iter().map(|v| v + 1.0).collect::<Vec<_>>())];
        let labels = (from..from + n).map(|i| (i % 3) as u8).collect();
        let path = folder.path().join(name);
        let views = ("views", "F32", &[2, n, 3][..], views.concat());
        let plain = ("features", "F32", &[n, 3][..], f32s(&values));
        safetensors(&path, &[plain, views, ("labels", "U8", &[n], labels)])
    };
    let whole = Features::load(&part("whole.safetensors", 0, 1500), None).unwrap();
    let shards = [
        part("a.safetensors", 0, 700),
        part("b.safetensors", 700, 1),
        part("c.safetensors", 701, 799),
    ];
    for (memory, held) in [(u64::MAX, true), (0, false)] {
        let storage = Storage { memory, mmap: false };
        let set = Features::read(&shards, &Reading { storage, ..Reading::default() }).unwrap();
        assert_eq!(matches!(set.plain, Matrix::Memory(_)), held);
        assert_eq!(set.sha256().unwrap(), whole.sha256().unwrap());
        assert_eq!(shared_rows(&set, &whole).unwrap().len(), 1500);
        let Matrix::File(file) = &set.views[1] else { continue };
        let (mut rows, wanted) = (vec![], whole.views[1].in_memory().unwrap());
        file.gather([700, 0, 1499, 701].into_iter(), |row| rows.push(row.to_vec())).unwrap();
        let wanted = [700, 0, 1499, 701].map(|row| wanted.row(row).to_vec());
        assert_eq!(rows, wanted);
    }
    let other = safetensors(
        &folder.path().join("d.safetensors"),
        &[("features", "F32", &[1, 3], features(1, 3)), ("labels", "U8", &[1], vec![0])],
    );
    let mixed = Features::read(&[shards[0].clone(), other], &Reading::default());
    assert!(message(mixed).contains("equally many views"));
}

#[test]
fn classes_go_by_name_across_files() {
    let folder = tempfile::tempdir().unwrap();
    let csv = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs_err::write(&path, text).unwrap();
        Features::load(&path, None).unwrap()
    };
    let train = || csv("train.csv", "a,b,class\n1,2,owl\n2,3,emu\n3,5,auk\n4,4,owl\n");
    let set =
        |test: Features| DataSet::new("x", train(), test, None, None, ShotThresholds::default());
    let test = set(csv("test.csv", "a,b,class\n1,1,owl\n2,2,emu\n")).unwrap().test;
    assert_eq!(test.labels, [2, 1], "numbered as in training, though it lacks a class");
    let unknown = message(set(csv("test.csv", "a,b,class\n1,1,emo\n")));
    assert!(
        unknown.contains("one of the 3 classes, found `emo`\nhint: did you mean `emu`?"),
        "{unknown}"
    );
    let numbers = message(set(csv("test.csv", "a,b,class\n1,1,0\n")));
    assert!(
        numbers.contains("expected names of classes, as in training, found numbers"),
        "{numbers}"
    );
    let order = ["owl", "auk", "emu"].map(str::to_owned).to_vec();
    let train = train().with_class_names(order, "x").unwrap();
    assert_eq!(train.labels, [0, 2, 1, 0]);
}

#[test]
fn heads_of_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let weight = |shape: &'static [usize]| ("module.fc.weight", "F32", shape, features(2, 3));
    let bias = || ("module.fc.bias", "F32", &[2][..], f32s(&[1.0, 2.0]));
    let path = safetensors(&at("h.safetensors"), &[weight(&[2, 3, 1, 1]), bias()]);
    let head = load_head(&path, None).unwrap();
    assert_eq!(
        (head.head.weight.dim(), head.key.as_str(), head.has_bias),
        ((2, 3), "module.fc", true)
    );
    for key in ["module.fc", "module.fc.weight", "module.fc.bias"] {
        assert_eq!(load_head(&path, Some(key)).unwrap(), head);
    }
    let without = load_head(&safetensors(&at("w.safetensors"), &[weight(&[2, 3])]), None).unwrap();
    assert!(!without.has_bias && without.head.bias.iter().all(|&bias| bias == 0.0));

    let mut archive = zip::ZipWriter::new(fs_err::File::create(at("h.npz")).unwrap());
    for (name, shape, data) in
        [("weight", &[2, 3][..], features(2, 3)), ("bias", &[2], f32s(&[1.0, 2.0]))]
    {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        std::io::Write::write_all(&mut archive, &npy("<f4", shape, &data)).unwrap();
    }
    archive.finish().unwrap();
    assert_eq!(load_head(&at("h.npz"), None).unwrap().head, head.head);

    let pickle = message(load_head(&at("h.pth"), None));
    assert!(pickle.contains("safetensors.torch.save_file("), "{pickle}");
    for shape in [&[1_usize << 62, 0][..], &[1 << 40, 0], &[0, 3], &[6], &[1, 2, 3]] {
        let n = shape.iter().fold(1_usize, |n, &size| n.wrapping_mul(size));
        safetensors(&at("bad.safetensors"), &[("fc.weight", "F32", shape, features(n, 1))]);
        let said = message(load_head(&at("bad.safetensors"), None));
        assert!(said.contains("shape [K, D], each at least 1"), "{shape:?}: {said}");
    }

    let labels = || ("y", "U8", &[4][..], vec![0, 1, 0, 1]);
    let x = |d: usize| {
        let shape = if d == 2 { &[4, 2][..] } else { &[4, 3] };
        let path =
            safetensors(&at("x.safetensors"), &[("X", "F32", shape, features(4, d)), labels()]);
        Features::load(&path, None).unwrap()
    };
    let with = |d: usize, head: tailfit::features::HeadFile| {
        DataSet::new("x", x(d), x(d), None, Some(head), ShotThresholds::default())
    };
    assert!(message(with(2, head.clone())).contains("is it transposed? save weight.T"));
    assert_eq!(with(3, without).unwrap().stage_1_origin, "given, without a bias");
    let mut large = head.clone();
    large.head = tailfit::head::Head::zeros(1000, 3);
    let said = message(with(3, large));
    assert!(
        said.contains(
            "expected 2 classes, as in the training labels, found weight of shape [1000, 3]"
        ),
        "{said}"
    );
    let mut named = head;
    named.metadata.insert("class_names".to_owned(), "[\"b\", \"a\"]".to_owned());
    save_head(&at("named.safetensors"), &named).unwrap();
    let named = load_head(&at("named.safetensors"), None).unwrap();
    let train = x(3).with_class_names(vec!["a".to_owned(), "b".to_owned()], "").unwrap();
    let set = DataSet::new("x", train, x(3), None, Some(named), ShotThresholds::default());
    assert!(message(set).contains("expected class 0 to be `a`, as in training, found `b`"));
}
