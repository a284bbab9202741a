//! `fragmint man`: the manual page, made from the command's own definition: `fragmint(1)` with every subcommand, or the page of
//! one, `fragmint-package(1)`. In the language of the man macros (man(7)).
//!
//! Titles, synopsis and options are `clap_mangen`'s; the notes that end the help are set here, since their tables and
//! examples have to keep their lines.

use clap::Command;
use clap_mangen::Man;
use fragmint::{Error, Result};

use super::args::{self, ManArgs};

/// Prints the page of `args.command`, or the one of the whole.
pub fn run(args: &ManArgs) -> Result<()> {
    let mut definition = args::definition();
    definition.build();
    let page = match &args.command {
        None => whole(&definition),
        Some(name) => {
            let command = definition.find_subcommand(name).ok_or_else(|| {
                let names: Vec<_> = definition.get_subcommands().map(Command::get_name).collect();
                let remedy = format!("the commands are {}", names.join(", "));
                Error::usage(format!("fragmint has no command '{name}'"), remedy)
            })?;
            single(command)
        }
    };
    let page = page.map_err(|error| Error::io("make the manual page", error))?;
    super::print(page.as_bytes(), "print the manual page")
}

/// The page of one subcommand of a definition that is built.
fn single(command: &Command) -> std::io::Result<String> {
    let mut page = title(command);
    page.push_str(&body(command)?);
    see_also(&mut page, "fragmint");
    Ok(page)
}

/// The page of the whole, with a section for each subcommand.
fn whole(definition: &Command) -> std::io::Result<String> {
    let mut page = title(definition);
    page.push_str(&body(definition)?);
    for command in definition.get_subcommands() {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        page.push_str(&format!(".SH {}\n", quoted(&name.to_uppercase())));
        // A section of the subcommand's own page is a part of a section here.
        page.push_str(&body(command)?.replace("\n.SH ", "\n.SS ").replacen(".SH ", ".SS ", 1));
    }
    Ok(page)
}

/// The page's first line. It has no date: the same version prints the same page.
fn title(command: &Command) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_uppercase();
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH {} 1 \"\" \"fragmint {version}\" \"User Commands\"\n", quoted(&name))
}

/// Name, synopsis, options and notes. What the name says is all of the description.
fn body(command: &Command) -> std::io::Result<String> {
    let man = Man::new(command.clone());
    let mut rendered = Vec::new();
    man.render_name_section(&mut rendered)?;
    man.render_synopsis_section(&mut rendered)?;
    man.render_options_section(&mut rendered)?;
    let rendered = String::from_utf8(rendered).map_err(std::io::Error::other)?;
    let mut body = String::new();
    // In front of each part stands a definition of `Aq`, an apostrophe, for readers of the seventies.
    for line in rendered.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el ")) {
        body.extend([&line.replace("\\*(Aq", "\\(aq"), "\n"]);
    }
    if let Some(notes) = command.get_after_help() {
        set_notes(&mut body, &notes.to_string());
    }
    Ok(ascii(&body))
}

/// The notes at the end of the help: `Heading:` alone on a line starts a section, text at the margin is filled to the
/// width of the page, and indented lines stay as they are.
fn set_notes(page: &mut String, notes: &str) {
    let mut started = false;
    let mut kept = false;
    // Empty lines since the last text: what follows decides what they are.
    let mut empty = 0;
    for line in notes.lines() {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        let is_indented = line.starts_with(' ');
        let heading = line.strip_suffix(':').filter(|_| !is_indented && !line.contains(' '));
        if kept && !is_indented {
            page.push_str(".fi\n");
        } else if kept {
            page.push_str(&"\n".repeat(empty));
        }
        let first_of_section = heading.is_some() || !started;
        if first_of_section {
            page.push_str(&format!(".SH {}\n", quoted(&heading.unwrap_or("Notes").to_uppercase())));
        } else if empty > 0 && !(kept && is_indented) {
            page.push_str(".PP\n");
        }
        if is_indented && !kept {
            page.push_str(".nf\n");
        }
        if heading.is_none() {
            page.push_str(&(escaped(line.strip_prefix("  ").unwrap_or(line)) + "\n"));
        }
        (started, kept, empty) = (true, is_indented, 0);
    }
    if kept {
        page.push_str(".fi\n");
    }
}

fn see_also(page: &mut String, name: &str) {
    page.push_str(&format!(".SH \"SEE ALSO\"\n.BR {name} (1)\n"));
}

/// Text that no part of is a command of roff: groff(7), "Escape sequences". A hyphen that somebody is to type is `\-`.
fn escaped(line: &str) -> String {
    let text = line.replace('\\', "\\e").replace('-', "\\-");
    // A dot or an apostrophe at the start of a line would make it a request.
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

/// Characters beyond ASCII by their code points (groff_char(7)), which every reader of the page takes whatever its locale.
fn ascii(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    for c in page.chars() {
        if c.is_ascii() { text.push(c) } else { text.push_str(&format!("\\[u{:04X}]", u32::from(c))) }
    }
    text
}

fn quoted(heading: &str) -> String {
    format!("\"{}\"", escaped(heading))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Command {
        let mut definition = args::definition();
        definition.build();
        definition
    }

    #[test]
    fn the_page_of_the_whole_has_a_section_for_each_command_and_every_option() {
        let definition = built();
        let page = whole(&definition).unwrap();
        assert_eq!(page.matches(".TH ").count(), 1);
        for command in definition.get_subcommands() {
            let heading = format!(".SH \"FRAGMINT {}\"", command.get_name().to_uppercase());
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
            for option in command.get_arguments().filter_map(|argument| argument.get_long()) {
                let option = format!("\\-\\-{}", option.replace('-', "\\-"));
                assert!(page.contains(&option), "{} {option}", command.get_name());
            }
        }
    }

    #[test]
    fn the_page_of_a_command_stands_alone() {
        let page = single(built().find_subcommand("package").unwrap()).unwrap();
        let title = format!(".TH \"FRAGMINT\\-PACKAGE\" 1 \"\" \"fragmint {}\"", env!("CARGO_PKG_VERSION"));
        assert!(page.starts_with(&title), "{page}");
        assert!(page.is_ascii());
        assert!(page.contains(".SH \"EXAMPLES\"") && page.contains("fragmint package 1080p.h264"));
        assert!(page.contains(".BR fragmint (1)"));
    }

    #[test]
    fn notes_keep_the_lines_of_tables_and_fill_the_rest() {
        let mut page = String::new();
        set_notes(&mut page, "Text that\nis filled.\n\nMore.\n\nInputs:\n  .a -b\\c\n\n    d\n\nafter");
        let expected = "\
.SH \"NOTES\"
Text that
is filled.
.PP
More.
.SH \"INPUTS\"
.nf
\\&.a \\-b\\ec

  d
.fi
.PP
after
";
        assert_eq!(page, expected);
    }
}
