//! `fragmint package`: from the arguments to the library's request, and from its report to what is printed.

use fragmint::{Error, Result};

use super::args::PackageArgs;

/// Packages `args.inputs` into `args.output`.
pub fn run(args: &PackageArgs) -> Result<()> {
    let error = Error::unsupported("packaging", "it is not part of this build");
    Err(error.in_file(&args.output))
}
