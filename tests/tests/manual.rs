//! The manual (`deploy/operating.md`): every command that it names is one, with every option that it gives.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]

use std::path::Path;

use clap::{Command, CommandFactory as _};

/// A manual with fewer commands than this was not read as it is written.
const COMMANDS_MIN: usize = 150;

#[test]
fn every_command_of_the_manual_is_one_with_its_options() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/operating.md");
    let (hub, agent) = (cabas_hub::cli::Arguments::command(), cabas_agent::cli::Arguments::command());
    let programs = [("cabas-hub", hub), ("cabas-agent", agent)];
    let commands = commands(&std::fs::read_to_string(file).unwrap());
    let mut checked = 0_usize;
    let mut wrong = Vec::new();
    for command in &commands {
        let mut words = command.split_whitespace().peekable();
        let named = words.peek().copied().unwrap_or_default();
        let found: Vec<Result<(), String>> = match programs.iter().find(|(name, _)| *name == named) {
            Some((_, program)) => vec![check(program, words.skip(1).collect())],
            // A table's line names the program once: what follows begins with its command.
            None => {
                let of = |program: &Command| program.find_subcommand(named).is_some();
                let words: Vec<&str> = words.collect();
                programs.iter().filter(|(_, it)| of(it)).map(|(_, it)| check(it, words.clone())).collect()
            }
        };
        checked = checked.saturating_add(usize::from(!found.is_empty()));
        if !found.is_empty() && found.iter().all(Result::is_err) {
            wrong.push(format!(
                "{command}: {}",
                found.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; ")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked >= COMMANDS_MIN, "only {checked} commands were found");
}

#[test]
fn a_command_that_is_none_and_an_option_that_is_none_are_found() {
    let hub = cabas_hub::cli::Arguments::command();
    for wrong in ["terminal invent", "terminal close 7 --buy ADA", "nothing at all"] {
        assert!(check(&hub, wrong.split(' ').collect()).is_err(), "{wrong}");
    }
    assert!(check(&hub, "terminal close 7 --by ADA --json".split(' ').collect()).is_ok());
}

/// What stands between backquotes, and the lines of shell blocks from the program's name on.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_shell = false;
    for line in text.replace("\\\n", " ").lines() {
        if line.starts_with("```") {
            is_shell = line.starts_with("```sh");
        } else if is_shell {
            let line = line.split(" #").next().unwrap_or_default();
            for name in ["cabas-hub ", "cabas-agent "] {
                // Where a user has the program's name, the last one is the program.
                let at = line
                    .rmatch_indices(name)
                    .map(|(at, _)| at)
                    .find(|at| line.get(..*at).is_some_and(|before| !before.ends_with(['/', '-', '.'])));
                found.extend(at.and_then(|at| line.get(at..)).map(str::to_owned));
            }
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    // There the name is the user's, and another program follows.
    let is_user = |command: &str| {
        command.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("cabas-") || rest.starts_with("-- /"))
    };
    found.retain(|command| !is_user(command));
    found
}

/// Walks down to the command that is meant, and looks for its options.
fn check(program: &Command, words: Vec<&str>) -> Result<(), String> {
    let mut at = program;
    let mut words = words.into_iter().peekable();
    while at.has_subcommands() {
        let Some(word) = words.next_if(|word| !word.starts_with(['-', '…', '['])) else { break };
        at = at.find_subcommand(word).ok_or_else(|| format!("{} has no command {word}", at.get_name()))?;
    }
    for word in words {
        let Some((_, option)) = word.split_once("--").filter(|(before, _)| before.chars().all(|c| "[(…".contains(c)))
        else {
            continue;
        };
        let option: String = option.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        let is = |command: &Command| command.get_arguments().any(|one| one.get_long() == Some(option.as_str()));
        if !(option.is_empty() || is(at) || is(program) || option == "help") {
            return Err(format!("{} has no option --{option}", at.get_name()));
        }
    }
    Ok(())
}
