//! One target per format that is read: `FUZZ_TARGET=npy fuzz corpus/npy`. No input may panic, hang,
//! or take more memory than twice its size and 64 MiB.

#![no_main]

mod memory;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tailfit::compare::RunRecord;
use tailfit::features::{Features, head_from_bytes};
use tailfit::methods::Method;
use tailfit::{fuzzing, report};

/// A target's name, and what it does with an input.
type Target = (&'static str, fn(&[u8]));

const TARGETS: &[Target] = &[
    ("npy", |bytes| features(bytes, "npy")),
    ("npz", |bytes| features(bytes, "npz")),
    ("safetensors", |bytes| features(bytes, "safetensors")),
    ("csv", |bytes| features(bytes, "csv")),
    ("head", |bytes| ignore(head_from_bytes(bytes.to_vec(), "x", None))),
    ("list", |bytes| ignore(fuzzing::list(&String::from_utf8_lossy(bytes), false))),
    ("inaturalist", |bytes| ignore(fuzzing::list(&String::from_utf8_lossy(bytes), true))),
    ("idx", |bytes| {
        if let Some((&kind, rest)) = bytes.split_first() {
            ignore(fuzzing::idx(rest.to_vec(), kind & 1 > 0, if kind & 2 > 0 { 1 } else { 3 }));
        }
    }),
    ("recipe", |bytes| {
        if let Ok(method) = Method::from_toml(&String::from_utf8_lossy(bytes), "x") {
            ignore(method.grid());
        }
    }),
    ("record", |bytes| {
        if let Ok(record) = RunRecord::from_json(&String::from_utf8_lossy(bytes), "x") {
            let again = RunRecord::from_json(&record.to_json(), "x").expect("what it wrote");
            assert_eq!(record.to_json(), again.to_json());
            let records = [record];
            if let Ok(rows) = report::summarise(&records) {
                ignore(Ok(report::summary_table(&rows, &records[0].data).latex()));
            }
        }
    }),
];

fn features(bytes: &[u8], extension: &str) {
    ignore(Features::from_bytes(bytes.to_vec(), extension, "x"));
}

/// Both outcomes are fine; an error must be one that can be printed.
fn ignore<T>(result: tailfit::error::Result<T>) {
    if let Err(error) = result {
        let text = error.to_string();
        assert!(text.chars().count() < 3000 && !text.contains('\u{1b}'), "{text:?}");
    }
}

static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();

fn target() -> fn(&[u8]) {
    let name = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names a target");
    let found = TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no target `{name}`")).1
}

fuzz_target!(|bytes: &[u8]| {
    let run = TARGET.get_or_init(target);
    let peak = memory::peak_of(|| run(bytes));
    assert!(peak <= 2 * bytes.len() + (64 << 20), "{peak} bytes of memory for {}", bytes.len());
});
