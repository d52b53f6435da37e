//! The program `tacet`.

fn main() -> std::process::ExitCode {
    tacet_cli::main()
}
