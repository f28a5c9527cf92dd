//! Failures of libtorch, as programs show them.

use std::process::Command;

use tailfit_backbone::caught;
use tch::{Device, Kind, Tensor};

const ASKED: &str = "TAILFIT_TEST_FAILS";

/// What libtorch fails at prints no trace; other panics do, as ever. (The test runs itself, since what a
/// panic prints cannot be seen from inside.)
#[test]
fn only_other_panics_print_a_trace() {
    if let Ok(what) = std::env::var(ASKED) {
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let work = || match what.as_str() {
            "libtorch" => ones(&[2, 3]).matmul(&ones(&[4, 5])).size(),
            _ => panic!("a fault of our own"),
        };
        eprintln!("{}", caught(work).unwrap_err());
        return;
    }
    for (what, prints) in [("libtorch", false), ("ours", true)] {
        let this = std::env::current_exe().unwrap();
        let name = "torch_errors::only_other_panics_print_a_trace";
        let ran =
            Command::new(this).args(["--exact", name, "--nocapture"]).env(ASKED, what).output();
        let ran = ran.unwrap();
        let stderr = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(stderr.contains("panicked at"), prints, "{stderr}");
        assert_eq!(stderr.contains("libtorch: expected to be able"), !prints, "{stderr}");
        assert!(!stderr.contains("frame #"), "{stderr}");
        assert_eq!(ran.status.success(), !prints);
    }
}
