//! Logs in TensorBoard's format: records of protocol-buffer events, each with its length and two
//! checksums (`tensorflow/core/lib/io/record_writer.cc`, `event.proto`, `summary.proto`).

use crate::checkpoint::Epoch;

/// The event file for a run's log. Equal logs give equal files: an event's timestamp is its
/// epoch number, in seconds.
pub(crate) fn events(log: &[Epoch]) -> Vec<u8> {
    let mut file = Vec::new();
    // Field 3 of an event is the version of the format.
    record(&mut file, &[double(1, 0.0), bytes(3, b"brain.Event:2")].concat());
    for epoch in log {
        let mut values = vec![("train/loss", epoch.train_loss), ("train/lr", epoch.lr)];
        if let Some(accuracy) = &epoch.accuracy {
            values.push(("held-out/accuracy_percent", accuracy.overall_percent));
            for (tag, value) in [
                ("held-out/many_percent", accuracy.many_percent),
                ("held-out/medium_percent", accuracy.medium_percent),
                ("held-out/few_percent", accuracy.few_percent),
            ] {
                values.extend(value.map(|value| (tag, value)));
            }
        }
        if let Some(accuracy) = &epoch.mirrored_accuracy {
            values.push(("held-out/mirrored_accuracy_percent", accuracy.overall_percent));
        }
        let step = epoch.epoch + 1;
        // Field 5 is a summary, whose field 1 repeats values with a tag (1) and a number (2).
        let summary: Vec<u8> = values
            .into_iter()
            .flat_map(|(tag, value)| {
                bytes(1, &[bytes(1, tag.as_bytes()), float(2, value)].concat())
            })
            .collect();
        let event = [double(1, step as f64), integer(2, step as u64), bytes(5, &summary)];
        record(&mut file, &event.concat());
    }
    file
}

fn record(file: &mut Vec<u8>, event: &[u8]) {
    let length = (event.len() as u64).to_le_bytes();
    file.extend(length);
    file.extend(masked(crc32c(&length)).to_le_bytes());
    file.extend(event);
    file.extend(masked(crc32c(event)).to_le_bytes());
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn integer(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn double(field: u64, value: f64) -> Vec<u8> {
    [varint(field << 3 | 1), value.to_le_bytes().to_vec()].concat()
}

fn float(field: u64, value: f64) -> Vec<u8> {
    [varint(field << 3 | 5), (value as f32).to_le_bytes().to_vec()].concat()
}

fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
    [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
}

fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit, as logs are small.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_and_numbers_are_the_formats() {
        // The standard check value of CRC-32C.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(varint(300), [0xac, 0x02]);
        assert_eq!(integer(2, 1), [0x10, 0x01]);
    }

    #[test]
    fn a_file_begins_with_its_version() {
        let file = events(&[]);
        // 24 bytes: a double with its key, a string of 13 with key and length.
        assert_eq!(file[..8], 24_u64.to_le_bytes());
        assert_eq!(file.len(), 8 + 4 + 24 + 4);
        assert!(file.windows(13).any(|part| part == b"brain.Event:2"));
    }
}
