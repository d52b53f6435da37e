//! The binary `tacet`: the command line, and without a subcommand the standalone window.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
