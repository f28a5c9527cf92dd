//! `cargo xtask torch`: libtorch for `tailfit-backbone`, out of PyTorch's own wheel.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The release that the `tch` crate is made for.
const VERSION: &str = "2.11.0";

const FOLDER: &str = "target/torch";

/// Where `.cargo/config.toml` looks for it: a link to the wheel's folder.
const LINK: &str = "target/torch/libtorch";

/// Besides torch itself all that libtorch_cpu wants on Linux; the rest of CUDA is for a GPU.
const LINUX_WHEELS: [&str; 2] =
    ["nvidia-cuda-runtime>=13.0,<13.1", "nvidia-cuda-cupti>=13.0,<13.1"];

/// Version and folder of an installed torch, without importing it.
const FIND: &str = "import importlib.metadata as m, importlib.util as u, pathlib
print(m.version('torch').split('+')[0], pathlib.Path(u.find_spec('torch').origin).parent)";

/// Makes libtorch available: the user's own if it is of the right release, or one installed into
/// `target/torch`; with `cuda` all that a GPU needs.
pub(crate) fn run(cuda: bool) -> Result<()> {
    let own = std::env::var_os("LIBTORCH").is_some_and(|path| !Path::new(&path).ends_with(LINK));
    if own || std::env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        eprintln!("using your own libtorch (LIBTORCH or LIBTORCH_USE_PYTORCH is set)");
        return Ok(());
    }
    let version = fs_err::read_to_string(Path::new(LINK).join("version.py")).unwrap_or_default();
    let fits = version.contains(&format!("__version__ = '{VERSION}"));
    if fits && (has_cuda(Path::new(LINK)) || !cuda) {
        return Ok(());
    }
    fs_err::create_dir_all(FOLDER)?;
    let folder = match find("python3").filter(|folder| has_cuda(folder) || !cuda) {
        Some(folder) => {
            eprintln!("using libtorch from your PyTorch {VERSION} in {}", folder.display());
            folder
        }
        None => install(cuda)?,
    };
    if fs_err::symlink_metadata(LINK).is_ok() {
        fs_err::remove_file(LINK)?;
    }
    link(&folder.canonicalize()?)
}

/// Whether all that libtorch needs for a GPU is beside it.
fn has_cuda(folder: &Path) -> bool {
    folder.join("../nvidia/cudnn/lib").exists() && folder.join("lib/libtorch_cuda.so").exists()
}

#[cfg(unix)]
fn link(folder: &Path) -> Result<()> {
    Ok(fs_err::os::unix::fs::symlink(folder, LINK)?)
}

#[cfg(not(unix))]
fn link(folder: &Path) -> Result<()> {
    anyhow::bail!(
        "cannot link libtorch: symbolic links are made on Unix only; set LIBTORCH to {}",
        folder.display()
    )
}

/// The folder of torch in an interpreter's packages, if it is of the right release.
fn find(python: &str) -> Option<PathBuf> {
    let output = Command::new(python).args(["-c", FIND]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let (version, folder) = text.trim().split_once(' ')?;
    (output.status.success() && version == VERSION).then(|| PathBuf::from(folder))
}

fn install(cuda: bool) -> Result<PathBuf> {
    eprintln!(
        "installing PyTorch {VERSION} into {FOLDER} (1.3 GB{})",
        if cuda { ", and CUDA, 4 GB" } else { "" }
    );
    run_command(Command::new("python3").args(["-m", "venv", FOLDER]))?;
    let python = format!("{FOLDER}/bin/python");
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    if !cuda {
        pip.arg("--no-deps");
    }
    pip.arg(format!("torch=={VERSION}"));
    if !cuda && cfg!(target_os = "linux") {
        pip.args(LINUX_WHEELS);
    }
    run_command(&mut pip)?;
    find(&python).with_context(|| format!("PyTorch {VERSION} was installed but is not in {FOLDER}"))
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
