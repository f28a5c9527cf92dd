//! `cargo xtask peers`: PyTorch, JAX, scikit-learn and tailfit on the same work in one run, taking
//! turns, and the table of it for the docs.

pub(crate) mod backbone;
mod gaps;
mod ours;
pub(crate) mod passes;
pub(crate) mod solver;
pub(crate) mod systems;
mod table;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, ensure};
use tailfit::features::DataSet;
use tailfit::shots::ShotThresholds;

use self::ours::Ours;
use self::table::{Measured, write_table};

/// Python environment and data; not committed.
const FOLDER: &str = "target/peers";

/// Timed rounds, of which the median counts.
const ROUNDS: usize = 5;

/// Epochs of the work, and of a timed round: an epoch costs the same throughout.
const EPOCHS: usize = 20;
const TIMED_EPOCHS: usize = 4;

/// Peers and the number of heads each trains at once.
const PEERS: [(&str, usize); 6] = [
    ("torch-loader", 1),
    ("torch-indexed", 1),
    ("torch-stacked", 32),
    ("torch-stacked-bf16", 32),
    ("jax-stacked", 32),
    ("scikit-lbfgs", 1),
];

pub(crate) fn run() -> Result<()> {
    let python = environment()?;
    let mut sections = Vec::new();
    for (name, dim) in [("a", 512), ("a64", 64), ("embedded", 64)] {
        make_data(&python, name)?;
        sections.push((name, dim, measure(&python, name, dim)?));
    }
    write_table(&sections)
}

/// The interpreter of an environment with all peers, made if there is none.
fn environment() -> Result<String> {
    environment_of("venv", "requirements.txt")
}

/// The interpreter of an environment of this name with these requirements.
fn environment_of(name: &str, requirements: &str) -> Result<String> {
    let python = format!("{FOLDER}/{name}/bin/python");
    let from = format!("xtask/peers/{requirements}");
    let (wanted, stamp) = (fs_err::read_to_string(&from)?, format!("{FOLDER}/{requirements}"));
    if fs_err::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("installing {requirements} into {FOLDER}/{name}");
    run_command(Command::new("python3").args(["-m", "venv", &format!("{FOLDER}/{name}")]))?;
    run_command(Command::new(&python).args(["-m", "pip", "install", "-q", "-r", &from]))?;
    fs_err::write(stamp, wanted)?;
    Ok(python)
}

/// A command for the interpreter of a peer's environment. Variables that hold its linear algebra to the
/// kernels of older processors are not passed on, or the peer would be slower than it is.
fn python_of(python: &str) -> Command {
    let mut command = Command::new(python);
    command.env_remove("OPENBLAS_CORETYPE").env_remove("OPENBLAS_L2_SIZE");
    command
}

fn run_command(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

fn make_data(python: &str, name: &str) -> Result<()> {
    let folder = format!("{FOLDER}/data");
    fs_err::create_dir_all(&folder)?;
    if Path::new(&format!("{folder}/{name}-test.u32")).exists() {
        return Ok(());
    }
    if name != "embedded" {
        return run_command(Command::new(python).args(["xtask/peers/data.py", &folder, name]));
    }
    let data = DataSet::embedded(ShotThresholds::default())?;
    for (part, features) in [("train", &data.train), ("test", &data.test)] {
        let bytes: Vec<u8> =
            features.plain.in_memory()?.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs_err::write(format!("{folder}/{name}-{part}.f32"), bytes)?;
        let bytes: Vec<u8> = features.labels.iter().flat_map(|v| v.to_le_bytes()).collect();
        fs_err::write(format!("{folder}/{name}-{part}.u32"), bytes)?;
    }
    Ok(())
}

/// A peer that waits for work.
struct Peer {
    name: &'static str,
    heads: usize,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(
        python: &str,
        (peer, heads): (&'static str, usize),
        name: &str,
        dim: usize,
    ) -> Result<Self> {
        let folder = format!("{FOLDER}/data");
        let mut child = python_of(python)
            .args(["xtask/peers/peer.py", peer, &folder, name, &dim.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let input = child.stdin.take().context("the peer has no pipe")?;
        let output = BufReader::new(child.stdout.take().context("the peer has no pipe")?);
        Ok(Self { name: peer, heads, child, input, output })
    }

    /// Seconds, objective, accuracy.
    fn train(&mut self, epochs: usize) -> Result<[f64; 3]> {
        writeln!(self.input, "{epochs} {}", self.heads)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: serde_json::Value = serde_json::from_str(&line).with_context(|| {
            format!("{} gave no answer; run xtask/peers/peer.py by hand to see why", self.name)
        })?;
        let number = |key: &str| answer[key].as_f64().context("the answer lacks a number");
        Ok([number("seconds")?, number("objective")?, number("accuracy")?])
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The process ends when its input does; if not, there is nothing more to do.
        let _ignored = self.child.kill();
        let _ignored = self.child.wait();
    }
}

fn measure(python: &str, name: &str, dim: usize) -> Result<Vec<Measured>> {
    let ours = Ours::load(&format!("{FOLDER}/data"), name, dim)?;
    let mut peers = PEERS
        .map(|peer| Peer::start(python, peer, name, dim))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let mut measured = Vec::new();
    for peer in &mut peers {
        eprintln!("{name}: warming up {}", peer.name);
        let [_, objective, accuracy] = peer.train(EPOCHS)?;
        measured.push(Measured::new(peer.name, peer.heads, objective, accuracy));
    }
    for way in Ours::ways() {
        eprintln!("{name}: warming up {}", way.name);
        let [_, objective, accuracy] = ours.train(&way, EPOCHS)?;
        measured.push(Measured::new(&way.name, way.heads, objective, accuracy));
    }
    for round in 1..=ROUNDS {
        eprintln!("{name}: round {round} of {ROUNDS}");
        let ways = Ours::ways();
        for (at, measured) in measured.iter_mut().enumerate() {
            // A solver has no epochs to leave out.
            let part = if measured.name.starts_with("scikit") { EPOCHS } else { TIMED_EPOCHS };
            let [seconds, ..] = match peers.get_mut(at) {
                Some(peer) => peer.train(part)?,
                None => ours.train(&ways[at - PEERS.len()], part)?,
            };
            let whole = seconds * EPOCHS as f64 / part as f64;
            measured.seconds_per_head.push(whole / measured.heads as f64);
            measured.peaks.push(ours::peak());
        }
    }
    Ok(measured)
}
