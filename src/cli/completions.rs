//! `fragmint completions`: what a shell needs to complete the command, made from the command's own definition.

use fragmint::Result;

use super::args::{self, CompletionsArgs};

/// Prints the completions for `args.shell`.
pub fn run(args: &CompletionsArgs) -> Result<()> {
    let mut script = Vec::new();
    // Into memory first: the generator panics where it cannot write.
    clap_complete::generate(args.shell, &mut args::definition(), "fragmint", &mut script);
    super::print(&script, "print the completions")
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;
    use clap_complete::Shell;

    use super::*;

    fn script(shell: Shell) -> String {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut args::definition(), "fragmint", &mut script);
        String::from_utf8(script).unwrap()
    }

    #[test]
    fn every_shell_is_told_every_subcommand_and_every_option() {
        let definition = args::definition();
        assert_eq!(Shell::value_variants().len(), 5);
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in definition.get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
                for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                    // fish writes `-l output` where the others write `--output`.
                    let found = [format!("--{option}"), format!("-l {option}")];
                    let named = found.iter().any(|found| script.contains(found));
                    assert!(named, "{shell}: {} --{option}", command.get_name());
                }
            }
        }
    }
}
