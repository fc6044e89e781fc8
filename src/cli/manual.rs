//! `man` and `completions`: both are made from the definitions of `--help`.

use std::io::Write;

use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::command_error::CommandError;

const NAME: &str = env!("CARGO_PKG_NAME");

/// Day of the last change of the commands.
const DATE: &str = "2026-11-29";

/// Prints the completions of a shell.
pub(super) fn print_completions(mut program: Command, shell: Shell) -> Result<(), CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut program, NAME, &mut text);
    print(&text)
}

/// Prints the manual page.
pub(super) fn print_page(program: Command) -> Result<(), CommandError> {
    print(&page(program)?)
}

fn print(text: &[u8]) -> Result<(), CommandError> {
    Ok(std::io::stdout().write_all(text).map_err(anyhow::Error::from)?)
}

/// One page for the program and all of its commands.
fn page(program: Command) -> anyhow::Result<Vec<u8>> {
    let mut program = program.after_help(None::<&str>);
    program.build();
    let mut page = Vec::new();
    let whole = Man::new(program.clone())
        .title(NAME.to_uppercase())
        .section("1")
        .date(DATE)
        .source(format!("{NAME} {}", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    whole.render_options_section(&mut page)?;
    writeln!(page, ".SH COMMANDS")?;
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        add(&mut page, command, NAME)?;
    }
    // `mandoc` warns of breaks beside an empty line.
    Ok(String::from_utf8(page)?.replace(".br\n\n.br\n", ".sp\n").into_bytes())
}

/// Adds a command and the commands below it.
fn add(page: &mut Vec<u8>, command: &Command, parent: &str) -> anyhow::Result<()> {
    let name = format!("{parent} {}", command.get_name());
    // The options of all commands are at the top of the page.
    let is_common = |arg: &Arg| arg.is_global_set() || arg.get_id() == "help";
    let own = command.clone().mut_args(|arg| if is_common(&arg) { arg.hide(true) } else { arg });
    let mut section = Vec::new();
    let man = Man::new(own);
    man.render_synopsis_section(&mut section)?;
    man.render_description_section(&mut section)?;
    man.render_options_section(&mut section)?;
    writeln!(page, ".SS {name}")?;
    // The sections of a command are paragraphs of the page.
    let text = String::from_utf8(section)?;
    let text =
        text.replace(".SH SYNOPSIS\n", "").replace(".SH DESCRIPTION\n", ".PP\n").replace(".SH OPTIONS\n", "");
    page.extend(text.bytes());
    for below in command.get_subcommands().filter(|command| command.get_name() != "help") {
        add(page, below, &name)?;
    }
    Ok(())
}
