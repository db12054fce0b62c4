//! Every integration test, in one binary: linking once is what keeps the suite quick.

mod architecture;
