//! The use cases of sending and receiving, in memory and in virtual time.

mod accounts;
mod amendments;
mod auto_redrives;
mod callbacks;
mod crashes;
mod echoes;
mod feed;
mod measuring;
mod meta_form;
mod names;
mod people;
mod promises;
mod receiving;
mod redrives;
mod replacing;
mod retention;
mod routing;
mod simulation;
mod slots;
mod statuses;
mod steps;
mod tokens;
mod transitions;
mod waiting;
mod watching;
mod world;
