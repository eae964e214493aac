//! Command line only: parse, run one command.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use cli::Cli;
use hindsight::cage::CountingAllocator;
use hindsight::commands::Command;
use hindsight::service::{logging, panics};
use hindsight::trigger::give_terminal_back;

/// The system's; in a process that reads cameras it counts.
#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Run(_) => panics::tell(),
        // `hindsight ring | head` has had enough; that is no accident.
        _ => leave_quietly_when_nobody_reads(),
    }
    let done = cli.command.run(&cli.common);
    give_terminal_back();
    logging::finish();
    done
}

/// Printing to a pipe whose reader has left panics; here it ends the program as it
/// ends any other in a pipeline, with 128 + SIGPIPE.
fn leave_quietly_when_nobody_reads() {
    const GONE: i32 = 141;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<String>().map_or("", String::as_str);
        if message.starts_with("failed printing to std") && message.contains("Broken pipe") {
            give_terminal_back();
            std::process::exit(GONE);
        }
        usual(panic);
    }));
}
