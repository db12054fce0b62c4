//! The command line as people meet it: the real program, on a terminal and off one.

mod attempt;
mod examples;
mod held;
mod help;
mod init;
pub(crate) mod mozart;
mod pages;
mod remembered;
mod screen;
mod shell;
mod signals;
mod terminal;
mod verbs;
mod watching;
