//! The timecode file of an input, read into memory: text of a few bytes for each picture.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use fragmint::package::Timecodes;
use fragmint::{Error, Result};

use super::input_arg::InputArg;

/// Most bytes of a timecode file: the times of ten million pictures.
const MOST: u64 = 256 << 20;

/// Reads the timecodes that `input` names; `None` where it names none.
///
/// # Errors
/// For a file that cannot be read or is beyond all measure, and those of [`Timecodes::read`].
pub fn read(input: &InputArg) -> Result<Option<Arc<Timecodes>>> {
    let Some(path) = &input.timecodes else { return Ok(None) };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|error| Error::io("open the timecode file", error).in_file(path))?;
    let read = file.take(MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| Error::io("read the timecode file", error).in_file(path))?;
    if bytes.len() as u64 > MOST {
        let what = format!("a timecode file of more than {} MiB", MOST >> 20);
        return Err(Error::unsupported(what, "give the timecode file of the stream").in_file(path));
    }
    Timecodes::read(path, &bytes).map(|timecodes| Some(Arc::new(timecodes)))
}
