//! The command line program.

fn main() -> std::process::ExitCode {
    mozart::cli::main()
}
