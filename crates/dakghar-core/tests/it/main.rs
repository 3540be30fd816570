//! The use cases of sending and receiving, in memory and in virtual time.

mod promises;
mod protocol;
mod simulation;
mod world;
