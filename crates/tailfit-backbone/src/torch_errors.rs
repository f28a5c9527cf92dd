//! Errors of libtorch, such as a GPU's memory that is too small, which mostly arrive as panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

use tailfit::error::{Error, Result};

/// What `work` comes to. Where libtorch fails, `tch` panics; that is an error like others, and no
/// trace is printed. For programs: replaces the process's panic hook by one that leaves these out.
///
/// # Errors
///
/// If libtorch failed, with what it says, in one line.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T> {
    let before = take_hook();
    set_hook(Box::new(move |info| {
        if message(info.payload()).is_none() {
            before(info);
        }
    }));
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| match message(&*payload) {
        Some(message) => out_of_memory(&message).unwrap_or_else(|| {
            let remedy = "try it on the CPU; where that fails too, please report it";
            Error::data("libtorch", "to be able to compute", reason(&message), remedy)
        }),
        None => resume_unwind(payload),
    })
}

/// libtorch's message, if a panic is one of `tch`'s: these unwrap results, which shows errors as
/// literals of Rust.
fn message(payload: &(dyn Any + Send)) -> Option<String> {
    let (_, literal) = payload.downcast_ref::<String>()?.split_once("Torch(\"")?;
    let (mut message, mut rest) = (String::new(), literal.chars());
    while let Some(c) = rest.next() {
        match c {
            '"' => break,
            '\\' => match rest.next()? {
                'n' => message.push('\n'),
                't' => message.push('\t'),
                escaped => message.push(escaped),
            },
            c => message.push(c),
        }
    }
    Some(message)
}

/// The reason in libtorch's message, without the stack trace: the line with the runtime error if
/// there is one, else the first line.
pub(crate) fn reason(message: &str) -> String {
    let mut lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let runtime = lines.clone().find(|line| line.starts_with("RuntimeError"));
    runtime.or_else(|| lines.next()).unwrap_or_default().to_owned()
}

/// The error for a message that says that memory is too small.
pub(crate) fn out_of_memory(message: &str) -> Option<Error> {
    let words = ["out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED"];
    let remedy = "free some or choose another device, and run it again: training goes on from the epoch that it \
                  saved last; or train with a lower batch_size in a new folder";
    let is_memory = words.iter().any(|words| message.contains(words));
    is_memory.then(|| Error::data("libtorch", "memory enough", reason(message), remedy))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    #[test]
    fn what_libtorch_says_is_an_error() {
        let ones = |shape: &[i64]| Tensor::ones(shape, (Kind::Float, Device::Cpu));
        let wrong = caught(|| ones(&[2, 3]).matmul(&ones(&[4, 5])).size()).unwrap_err().to_string();
        assert!(
            wrong.contains("shapes cannot be multiplied (2x3 and 4x5)\nhint: try it"),
            "{wrong}"
        );
        let large = caught(|| ones(&[1 << 50]).size()).unwrap_err().to_string();
        assert!(large.contains("allocate memory") && large.contains("lower batch_size"), "{large}");
        assert_eq!(caught(|| 3).unwrap(), 3);
    }

    /// As a GPU says it, and with all that has to be escaped.
    #[test]
    fn messages_are_what_was_said() {
        let panic =
            |text: &str| format!("called `Result::unwrap()` on an `Err` value: Torch({text:?})");
        let gpu = "CUDA out of memory. Tried to allocate 2.50 GiB.\nException raised from malloc\nframe #0";
        let found = message(&panic(gpu)).unwrap();
        assert_eq!(found, gpu);
        let error = out_of_memory(&found).unwrap().to_string();
        let wanted = "found CUDA out of memory. Tried to allocate 2.50 GiB.\nhint";
        assert!(error.contains(wanted), "{error}");
        let quoted = "expected one of (\"cpu\", 'C:\\new')";
        assert_eq!(message(&panic(quoted)).unwrap(), quoted);
        assert!(out_of_memory(quoted).is_none());
        assert!(message(&"a fault of our own".to_owned()).is_none());
    }

    #[test]
    #[should_panic(expected = "of our own")]
    fn other_panics_go_on() {
        let _ = caught(|| panic!("a fault of our own: {}", 1));
    }
}
