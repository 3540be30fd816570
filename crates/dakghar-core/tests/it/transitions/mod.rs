//! The transitions of ARCHITECTURE.md ("Delivery"), one test for each and one for each of their branches. Each test takes
//! the steps of the real use cases by hand, in a world of either kind.

mod accepting;
mod changing;
mod claiming;
mod doubt;
mod evidence;
mod holds;
mod host;
mod outcome;
