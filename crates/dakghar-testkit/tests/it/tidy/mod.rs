//! What the architecture promises and no compiler checks: who may depend on whom, and what a file may contain.
//!
//! The checks read manifests and the text of the sources; folders, packages and drivers are found, not listed. The
//! calls that `clippy.toml` forbids are clippy's.
//!
//! # When one file needs another
//!
//! A file needs another when its code, outside of tests, names something that the other defines: in a `use`, in a path
//! or by a method. Re-exports are followed to the definition. A line with `mod` or `pub use` is no need, so a
//! `mod.rs` that declares and re-exports its children does not need them; it does as soon as its own code uses one of
//! the names. Therefore a child may use what its parent defines only if the parent's code uses nothing of the child.
//!
//! A method counts for the file whose `impl` block defines it: `self.method()` and `Self::method()` inside of an `impl`
//! of the type, `Type::method()` anywhere, and `value.method()` where the item says `value: Type`, also behind `&`,
//! `Arc` and `Box`.
//!
//! # What the text does not show
//!
//! Methods of traits, methods of values whose type is inferred (`let app = make();`), of fields of other structs and
//! of what a call returns; items that a macro makes under a name that is not written in its call; names inside of
//! strings, such as `#[serde(with = "..")]`; `#[path]` and `include!`.

mod arrows;
mod boundaries;
mod bounds;
mod circles;
mod made_up;
mod manifest;
mod metrics;
mod people;
mod rows;
mod sources;
mod tenancy;
mod tokens;
mod tree;
mod unreadable;
mod workspace;
