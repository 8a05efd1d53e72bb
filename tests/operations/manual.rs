//! The manual and the completions, as the package brings them.

use std::collections::BTreeSet;

use super::world::Host;

/// The commands within a command, by the names of their pages.
fn pages(command: &clap::Command, name: &str, all: &mut BTreeSet<String>) {
    all.insert(format!("{name}.1"));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        pages(inner, &format!("{name}-{}", inner.get_name()), all);
    }
}

#[test]
fn every_command_has_its_page_and_is_completed() {
    let host = Host::bare();
    std::fs::write(&host.config, "").expect("writable");
    let folder = host.path("man");
    assert!(host.refused(&["man", folder.to_str().expect("a path")], 2).contains("make it first"));
    std::fs::create_dir(&folder).expect("a folder");
    host.done(&["man", folder.to_str().expect("a path")]);
    let written = std::fs::read_dir(&folder).expect("readable").flatten();
    let written: BTreeSet<String> = written.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let mut expected = BTreeSet::new();
    pages(&doorward::cli::command(), "doorward", &mut expected);
    assert_eq!(written, expected);
    let page = std::fs::read_to_string(folder.join("doorward-restore.1")).expect("readable");
    assert!(page.contains("\\-\\-force") && page.contains("which stays beside it"), "{page}");
    for (shell, begins) in [("bash", "_doorward()"), ("zsh", "#compdef doorward"), ("fish", "#")] {
        let script = host.done(&["completions", shell]);
        assert!(
            script.starts_with(begins) && script.contains("check-config") && script.contains("without-key"),
            "{shell}"
        );
    }
}
