//! The cage under the filter of system calls that our systemd unit puts on the service: the kernel asks
//! both, and the unit's must leave to the cage what it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use hindsight::demo::{DemoCamera, Script};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::watch::{Watched, camera, processes};

const UNIT: &str = include_str!("../../packaging/hindsight.service");

/// The calls of a group, with those of the groups in it.
fn group(name: &str, calls: &mut BTreeSet<String>) -> Option<()> {
    let asked = Command::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager", name])
        .output();
    let said = asked.ok().filter(|asked| asked.status.success())?;
    let said = String::from_utf8(said.stdout).unwrap();
    for line in said.lines().map(str::trim) {
        match line {
            "" => {}
            of if of == name || of.starts_with('#') => {}
            of if of.starts_with('@') => group(of, calls)?,
            call => drop(calls.insert(call.to_owned())),
        }
    }
    Some(())
}

/// What the unit allows, line by line as systemd reads them.
fn allowed() -> Option<BTreeSet<String>> {
    let mut allowed = BTreeSet::new();
    for line in UNIT
        .lines()
        .filter_map(|l| l.strip_prefix("SystemCallFilter="))
    {
        let (words, takes) = match line.strip_prefix('~') {
            Some(words) => (words, true),
            None => (line, false),
        };
        for word in words.split_whitespace() {
            let mut calls = BTreeSet::new();
            match word.starts_with('@') {
                true => group(word, &mut calls)?,
                false => drop(calls.insert(word.to_owned())),
            }
            match takes {
                true => allowed.retain(|call| !calls.contains(call)),
                false => allowed.extend(calls),
            }
        }
    }
    Some(allowed)
}

/// Numbers of this processor's calls, as the C library's headers have them.
fn numbers() -> Option<BTreeMap<String, i64>> {
    let arch = std::env::consts::ARCH;
    let header = match arch {
        "x86_64" => "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        _ => return None,
    };
    let text = std::fs::read_to_string(header).ok()?;
    let lines = text.lines().filter_map(|line| {
        let mut words = line.strip_prefix("#define __NR_")?.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    });
    Some(lines.collect())
}

fn filter() -> Option<BpfProgram> {
    let (allowed, numbers) = (allowed()?, numbers()?);
    let rules = allowed.iter().filter_map(|call| numbers.get(call));
    let rules: BTreeMap<i64, _> = rules.map(|number| (*number, Vec::new())).collect();
    assert!(rules.len() > 200, "only {} calls", rules.len());
    let eperm = u32::try_from(libc::EPERM).unwrap();
    let refused = SeccompAction::Errno(eperm);
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch).unwrap();
    Some(filter.try_into().unwrap())
}

#[test]
fn the_cage_holds_under_the_filter_of_our_systemd_unit() {
    let Some(filter) = filter() else {
        println!("SKIPPED: no systemd-analyze, or no headers that number system calls");
        return;
    };
    let court = DemoCamera::start(Script::default()).unwrap();
    let cameras = vec![camera("court1", court.url())];
    // Threads that this one starts have its filter, and so has what they start.
    let filtered = std::thread::spawn(move || {
        nix::sys::prctl::set_no_new_privs().unwrap();
        seccompiler::apply_filter(&filter).unwrap();
        let possible = hindsight::cage::possible();
        let watched = Watched::start_caged(cameras, processes());
        watched.wait_state("court1", "streaming", |s| s.access_units > 20);
        let status = format!("/proc/{}/status", watched.pid_of("court1"));
        let status = std::fs::read_to_string(status).unwrap();
        watched.end();
        (possible, status)
    });
    let (possible, status) = filtered.join().unwrap();
    let unfiltered = hindsight::cage::possible();
    assert_eq!(possible, unfiltered, "the unit takes from the cage");
    let filters = status
        .lines()
        .find(|line| line.starts_with("Seccomp_filters:"));
    if unfiltered.seccomp == hindsight::cage::LockState::Holds
        && let Some(filters) = filters
    {
        let two = filters.ends_with("\t2");
        assert!(two, "its own and the unit's: {filters}");
    }
}
