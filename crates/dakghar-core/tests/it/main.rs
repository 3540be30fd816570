//! The use cases of sending and receiving, in memory and in virtual time.

mod promises;
mod simulation;
mod steps;
mod transitions;
mod world;
