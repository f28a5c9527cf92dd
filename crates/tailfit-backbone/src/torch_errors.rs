//! Errors of libtorch, such as a GPU's memory that is too small, which arrive as panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

use tailfit::error::{Error, Result};

/// What `work` comes to. Where libtorch fails, `tch` panics; that is an error like others, and no
/// trace is printed. For programs: replaces the process's panic hook by one that leaves these out.
///
/// # Errors
///
/// If libtorch failed, with the first line of what it says.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if message(info.payload()).is_none() {
            before(info);
        }
    }));
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match message(&*payload) {
        Some(message) => error(&message),
        None => resume_unwind(payload),
    })
}

/// The first line of libtorch's message, if a panic is one of `tch`'s.
fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let text = payload.downcast_ref::<String>()?;
    // `tch` unwraps results, which shows errors as Rust's literals.
    let (_, quoted) = text.split_once("`Err` value: Torch(\"")?;
    let line = quoted.split("\\n").next().unwrap_or_default();
    Some(line.trim_end_matches("\")").replace("\\\"", "\"").replace("\\'", "'"))
}

fn error(message: &str) -> Error {
    let memory = ["out of memory", "can't allocate memory", "not enough memory"];
    if memory.iter().any(|words| message.contains(words)) {
        let remedy = "lower batch_size or image_size, or choose a device with more memory; a training run goes on \
                      from the epoch that it saved last";
        return Error::data("libtorch", "memory enough for a batch", message, remedy);
    }
    Error::data("libtorch", "no error", message, "")
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn what_libtorch_says_is_an_error() {
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let wrong = caught(|| ones(&[2, 3]).matmul(&ones(&[4, 5])).size()).unwrap_err().to_string();
        assert!(wrong.contains("shapes cannot be multiplied (2x3 and 4x5)"), "{wrong}");
        assert!(!wrong.contains("frame #") && !wrong.contains("Torch(") && !wrong.contains("hint"));
        let large = caught(|| ones(&[1 << 50]).size()).unwrap_err().to_string();
        assert!(large.contains("allocate memory") && large.contains("lower batch_size"), "{large}");
        assert_eq!(caught(|| 3).unwrap(), 3);
        // As GPUs say it.
        let gpu = "called `Result::unwrap()` on an `Err` value: Torch(\"CUDA out of memory. Tried to allocate 2.50 \
                   GiB. GPU 0 has 1 GiB.\\nException raised from malloc\\nframe #0\")";
        let found = error(&message(&gpu.to_owned()).unwrap()).to_string();
        assert!(
            found.contains(
                "found CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has 1 GiB.\nhint"
            ),
            "{found}"
        );
    }

    #[test]
    #[should_panic(expected = "of our own")]
    fn other_panics_go_on() {
        let _ = caught(|| panic!("a fault of our own: {}", 1));
    }
}
