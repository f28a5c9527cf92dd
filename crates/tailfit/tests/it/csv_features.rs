//! CSV as pandas, R and spreadsheets write it: read as meant, or refused with a reason.

use tailfit::error::Error;
use tailfit::features::{DataSet, Features, Reading};
use tailfit::groups::Groups;
use tailfit::shots::ShotThresholds;

fn load(text: &str, labels: Option<&str>) -> Result<Features, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs_err::write(&path, text).unwrap();
    let labels = labels.map(|labels| {
        let path = folder.path().join("labels.txt");
        fs_err::write(&path, labels).unwrap();
        path
    });
    Features::load(&path, labels.as_deref())
}

#[track_caller]
fn reads(text: &str, expected: &[[f32; 2]], labels: &[u32]) {
    let found = load(text, None).unwrap();
    let rows: Vec<Vec<f32>> =
        found.plain.in_memory().unwrap().rows().into_iter().map(|row| row.to_vec()).collect();
    assert_eq!(rows, expected, "{text}");
    assert_eq!(found.labels, labels, "{text}");
}

#[track_caller]
fn refuses(text: &str, parts: &[&str]) {
    let message = load(text, None).unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

#[test]
fn every_way_to_write_two_samples() {
    let samples = [[0.5, 1.5], [-2.0, 3.0]];
    for text in [
        "0.5,1.5,1\n-2,3,0\n",
        "a,b,label\n0.5,1.5,1\n-2,3,0\n",
        "label,a,b\n1,0.5,1.5\n0,-2,3\n",
        "a,Class,b\n0.5,1,1.5\n-2,0,3\n",
        "\u{feff}y,a,b\n1,0.5,1.5\n0,-2,3\n",
        "0,1,label\n0.5,1.5,1\n-2,3,0\n",
        "0,1,2\n0.5,1.5,1\n-2,3,0\n",
        "a;b;label\n0.5;1.5;1\n-2;3;0\n",
        "0.5\t1.5\t1\r\n-2\t3\t0\r\n",
        "\"a;\",\"b\",\"label\"\n0.5, 1.5 ,1.0\n\n-2,3,0\n",
    ] {
        reads(text, &samples, &[1, 0]);
    }
}

#[test]
fn with_labels_in_a_file_of_their_own_every_column_is_a_feature() {
    for text in ["0.5,1.5\n-2,3\n", "a,b\n0.5,1.5\n-2,3\n", "a,label,b\n0.5,7,1.5\n-2,7,3\n"] {
        let found = load(text, Some("1\n0\n")).unwrap();
        assert_eq!((found.dim(), &found.labels[..]), (2, &[1, 0][..]), "{text}");
    }
}

#[test]
fn what_is_not_plain_is_refused() {
    for index in ["", "Unnamed: 0", "index"] {
        let text = format!("{index},a,label\n5,0.5,0\n9,2,1\n");
        refuses(&text, &["line 1, column 1", "index", "index=False"]);
    }
    refuses(",0,1,2\n0,1.5,2.5,0\n1,3,4,1\n", &["line 1, column 1", "index=False"]);
    refuses("i,a,label\n0,5,0\n1,7,1\n2,6,0\n", &["column 1", "counts the samples, 0 to 2"]);
    refuses("0,5,0\n1,7,1\n2,6,0\n", &["column 1", "counts the samples, 0 to 2"]);
    refuses(
        "a,b,is_flipped\n1,2,0\n",
        &["one column named label", "found none", "name the column"],
    );
    refuses("a,label,class\n1,2,0\n", &["one column named label", "label and class"]);
    refuses("1,oops,0\n1,2,0\n", &["line 1, column 2", "a number", "`oops`"]);
    refuses("1,,0\n1,2,0\n", &["line 1, column 2", "``"]);
    refuses("", &["at least one sample", "an empty file"]);
    refuses("a,b,label\n1,2,0\n1,x,0\n", &["line 3, column 2", "`x`"]);
    refuses("1,5;2,5;0\n", &["line 1, column 1", "`1,5`", "decimal point"]);
}

fn set(train: &str, test: &str) -> Result<DataSet, Error> {
    let (train, test) = (load(train, None)?, load(test, None)?);
    DataSet::new("csv", train, test, None, None, ShotThresholds::default())
}

#[test]
fn columns_are_matched_by_name() {
    let train = "a,b,label\n1,2,0\n3,5,1\n";
    let in_order = set(train, "a,b,label\n7,8,1\n").unwrap();
    for moved in ["b,a,label\n8,7,1\n", "label,b,a\n1,8,7\n"] {
        let moved = set(train, moved).unwrap();
        assert_eq!(moved.test.plain.in_memory().unwrap(), in_order.test.plain.in_memory().unwrap());
        assert_eq!(moved.test.sha256().unwrap(), in_order.test.sha256().unwrap());
    }
    // Without names there is only the order.
    let unnamed = set(train, "8,7,1\n").unwrap();
    assert_ne!(unnamed.test.sha256().unwrap(), in_order.test.sha256().unwrap());
    for (test, part) in [
        ("a,c,label\n7,8,1\n", "none named `b`"),
        ("a,label\n7,1\n", "none named `b`"),
        ("a,b,c,label\n7,8,9,1\n", "one more, `c`"),
        ("b,a,a,label\n7,8,9,1\n", "a name twice"),
    ] {
        let message = set(train, test).unwrap_err().to_string();
        assert!(message.contains("test set") && message.contains(part), "{message}");
    }
    let views = load(train, None).unwrap().with_mirror(ndarray::Array2::zeros((2, 2))).unwrap();
    assert_eq!(views.columns, Some(vec!["a".to_owned(), "b".to_owned()]));
}

#[test]
fn groups_are_read_from_a_column() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.csv");
    fs_err::write(&path, "a,patient,label\n1,anna,0\n2,ben,1\n3,anna,1\n").unwrap();
    let read = |column| {
        let reading = Reading { group_column: Some(column), ..Reading::default() };
        Features::read(std::slice::from_ref(&path), &reading)
    };
    let features = read("patient").unwrap();
    assert_eq!(features.groups, Some(Groups::new(["anna", "ben", "anna"])));
    assert_eq!((features.dim(), features.columns.unwrap()), (1, vec!["a".to_owned()]));
    let message = read("pateint").unwrap_err().to_string();
    assert!(message.contains("expected a column of groups of that name"), "{message}");
}
