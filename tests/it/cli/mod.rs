//! The command line as people meet it: the real program, on a terminal and off one.

mod help;
mod init;
mod mozart;
mod screen;
mod shell;
