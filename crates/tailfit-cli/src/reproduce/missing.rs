//! How features that are not there are made.

use std::path::Path;

/// Runs whose weights stand in `results/stage-1`.
const TRAINED: [&str; 14] = [
    "cross-entropy",
    "cross-entropy-ir50",
    "cross-entropy-ir10",
    "cross-entropy-ir1",
    "cross-entropy-drw",
    "focal",
    "cb-ce",
    "ldam-drw",
    "balanced-softmax",
    "area",
    "balms",
    "bbn",
    "rbl",
    "tde",
];

/// Whether the weights of a run stand there.
pub(super) fn has_weights(name: &str) -> bool {
    TRAINED.contains(&name)
}

/// The commands that make them. Names are those of stage-1 recipes, followed by the
/// imbalance ratio if that is not 100.
pub(super) fn how_to_make(name: &str, folder: &Path) -> String {
    let (recipe, ratio) = name.rsplit_once("-ir").unwrap_or((name, "100"));
    let images = "--images cifar-100-binary";
    let split = format!("{images} --split split-{ratio}.json");
    let (run, training) = if has_weights(name) {
        (format!("results/stage-1/{name}"), String::new())
    } else {
        let hours = match recipe {
            "ltwb" | "los" | "ewb-fdr" => "four hours or more",
            _ => "half an hour to three hours",
        };
        let training = format!(
            "tailfit train-backbone {split} --config configs/stage-1/{recipe}.toml --out runs/{name} ({hours} on two \
             cores; minutes with --device cuda), "
        );
        (format!("runs/{name}"), training)
    };
    format!(
        "{} is not there; make it with: tailfit split {images} --imbalance-ratio {ratio} --out split-{ratio}.json, {training}\
         tailfit extract-features {split} --run {run} --out {}",
        folder.display(),
        folder.display(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trained_runs_are_those_that_are_there() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/stage-1");
        let mut there: Vec<String> = fs_err::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.join("last.safetensors").exists())
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        there.sort_unstable();
        let mut named = TRAINED;
        named.sort_unstable();
        assert_eq!(there, named);
        let how = how_to_make("cross-entropy-ir50", Path::new("features"));
        assert!(how.contains("--run results/stage-1/cross-entropy-ir50"), "{how}");
        let how = how_to_make("focal-ir50", Path::new("features"));
        assert!(how.contains("--config configs/stage-1/focal.toml"), "{how}");
    }
}
