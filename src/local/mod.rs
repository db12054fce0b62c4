//! A run on this machine: everything around the driver.

mod act;
pub mod answers;
pub mod attempt;
pub mod awake;
pub mod control;
pub mod credential;
pub mod lock;
pub mod observe;
pub mod on_top;
pub mod pinned;
pub mod plan;
pub mod pod;
pub mod run;
pub mod steer;
pub mod stop;
pub mod verb;
pub mod view;
pub mod wishes;
