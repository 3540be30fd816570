//! Which file needs which: from the paths in the code, and from the methods of types that are spread over files.

use std::collections::{BTreeMap, BTreeSet};

use super::circles::Arrow;
use super::tokens::Token;
use super::tree::{Files, Import, Module, Target, Tree};

/// A type, by the module that defines it.
type Type = (usize, String);

/// What one crate's text says about its files.
pub struct Needs {
    /// Among the files of the crate.
    pub arrows: Vec<Arrow>,
    /// Paths that lead out of the crate, by file. `to` is the whole path.
    pub foreign: Vec<Arrow>,
    /// The files that belong to the crate and are not tests.
    pub files: BTreeSet<String>,
    tests: Vec<String>,
}

impl Needs {
    /// Reads the crate whose root is the file `root`.
    pub fn read(files: &Files, root: &str) -> Self {
        let tree = Tree::read(files, root);
        let methods = Methods::of(&tree);
        let mut needs = Self {
            arrows: Vec::new(),
            foreign: Vec::new(),
            files: tree.modules.iter().map(|module| module.file.clone()).collect(),
            tests: tree.tests.clone(),
        };
        for (at, module) in tree.modules.iter().enumerate() {
            for import in &module.imports {
                needs.add_import(&tree, at, import);
            }
            for path in module.code.iter().flat_map(|tokens| paths(tokens)) {
                needs.add_path(&tree, &methods, at, &path);
            }
            needs.add_method_calls(&tree, &methods, at);
        }
        needs
    }

    /// Whether the file is declared under `#[cfg(test)]`, or below such a file.
    pub fn is_of_tests(&self, file: &str) -> bool {
        let below = |test: &String| {
            file.strip_prefix(test.as_str())
                .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        self.tests.iter().any(below)
    }

    fn add(&mut self, module: &Module, to: &str, line: usize, what: &str) {
        if module.file != to {
            self.arrows.push(Arrow {
                from: module.file.clone(),
                to: to.to_owned(),
                line,
                what: what.to_owned(),
            });
        }
    }

    fn add_foreign(&mut self, module: &Module, path: &[String], line: usize) {
        self.foreign.push(Arrow {
            from: module.file.clone(),
            to: path.join("::"),
            line,
            what: path.last().cloned().unwrap_or_default(),
        });
    }

    /// A re-export is no need of its own: it counts where the name stands in code.
    fn add_import(&mut self, tree: &Tree, at: usize, import: &Import) {
        let from = &tree.modules[at];
        match tree.resolve(at, &import.path, import.name.is_none()) {
            Target::Item { module, name, .. } if !import.is_reexport => {
                self.add(from, &tree.modules[module].file, import.line, &name);
            }
            Target::Foreign(path) => self.add_foreign(from, &path, import.line),
            // A module alone is a name for paths, and they are looked at by themselves.
            _ => {}
        }
    }

    fn add_path(&mut self, tree: &Tree, methods: &Methods, at: usize, path: &Path) {
        let from = &tree.modules[at];
        match tree.resolve(at, &path.segments, false) {
            Target::Item { module, name, rest } => {
                self.add(from, &tree.modules[module].file, path.line, &name);
                let method = rest.first().map(String::as_str).unwrap_or_default();
                for file in methods.elsewhere(&(module, name), method, &from.file) {
                    self.add(from, file, path.line, method);
                }
            }
            Target::Foreign(segments) if segments.len() > 1 => self.add_foreign(from, &segments, path.line),
            _ => {}
        }
    }

    /// `self.method()`, `Self::method()`, and `value.method()` where the file says `value: Type`.
    fn add_method_calls(&mut self, tree: &Tree, methods: &Methods, at: usize) {
        let from = &tree.modules[at];
        for block in &from.impls {
            let of = type_of(tree, at, &block.of);
            for call in calls(&block.body).filter(|call| matches!(call.value, "self" | "Self")) {
                for file in of.iter().flat_map(|of| methods.elsewhere(of, call.method, &from.file)) {
                    self.add(from, file, call.line, call.method);
                }
            }
        }
        for tokens in &from.code {
            let typed = methods.typed_names(tree, at, tokens);
            for call in calls(tokens) {
                for of in typed.iter().filter(|(name, _)| name == call.value).map(|(_, of)| of) {
                    for file in methods.elsewhere(of, call.method, &from.file) {
                        self.add(from, file, call.line, call.method);
                    }
                }
            }
        }
    }
}

/// The inherent methods of every type, and the files that define them.
struct Methods(BTreeMap<Type, BTreeMap<String, BTreeSet<String>>>);

impl Methods {
    fn of(tree: &Tree) -> Self {
        let mut found = Self(BTreeMap::new());
        for (at, module) in tree.modules.iter().enumerate() {
            for block in module.impls.iter().filter(|block| !block.is_of_a_trait) {
                let Some(of) = type_of(tree, at, &block.of) else {
                    continue;
                };
                let methods = found.0.entry(of).or_default();
                for name in block.functions() {
                    methods.entry(name).or_default().insert(module.file.clone());
                }
            }
        }
        found
    }

    /// The other files that define the method, if this one does not.
    fn elsewhere(&self, of: &Type, method: &str, file: &str) -> impl Iterator<Item = &String> {
        let files = self.0.get(of).and_then(|methods| methods.get(method));
        files.filter(|files| !files.contains(file)).into_iter().flatten()
    }

    /// Names with a type of ours that has methods: `app: &App`, `app: Arc<App>`.
    fn typed_names(&self, tree: &Tree, at: usize, tokens: &[Token]) -> Vec<(String, Type)> {
        let mut found = Vec::new();
        for (index, colon) in tokens.iter().enumerate() {
            if colon.text != ":" || index == 0 || !tokens[index - 1].is_word() {
                continue;
            }
            let wrapping = |token: &&Token| matches!(token.text.as_str(), "&" | "mut" | "Arc" | "Box" | "<");
            let path = tokens[index + 1..].iter().skip_while(wrapping);
            let path = path.take_while(|token| token.is_word() || token.text == "::");
            let path: Vec<String> = path
                .filter(|token| token.is_word())
                .map(|token| token.text.clone())
                .collect();
            let of = Some(path).filter(|path| !path.is_empty());
            let of = of.and_then(|path| type_of(tree, at, &path));
            let of = of.filter(|of| self.0.contains_key(of));
            found.extend(of.map(|of| (tokens[index - 1].text.clone(), of)));
        }
        found
    }
}

fn type_of(tree: &Tree, at: usize, path: &[String]) -> Option<Type> {
    match tree.resolve(at, path, false) {
        Target::Item { module, name, .. } => Some((module, name)),
        _ => None,
    }
}

struct Call<'a> {
    value: &'a str,
    method: &'a str,
    line: usize,
}

/// `value.method(`, `value.method::<`, `Self::method`.
fn calls(tokens: &[Token]) -> impl Iterator<Item = Call<'_>> {
    tokens.windows(4).filter_map(|window| {
        let [value, dot, method, after] = window else {
            return None;
        };
        let is_call = match dot.text.as_str() {
            "." => matches!(after.text.as_str(), "(" | "::"),
            "::" => value.text == "Self",
            _ => false,
        };
        (is_call && value.is_word() && method.is_word()).then_some(Call {
            value: &value.text,
            method: &method.text,
            line: method.line,
        })
    })
}

struct Path {
    segments: Vec<String>,
    line: usize,
}

/// The paths in code. A single word counts if it may name an item: a type, a constant, a call.
fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let start = at;
        at += 1;
        let before = start.checked_sub(1).map_or("", |before| tokens[before].text.as_str());
        if !tokens[start].is_word() || matches!(before, "." | "fn") {
            continue;
        }
        let mut segments = vec![tokens[start].text.clone()];
        while let [colons, word, ..] = &tokens[at..]
            && colons.text == "::"
            && word.is_word()
        {
            segments.push(word.text.clone());
            at += 2;
        }
        let next = tokens.get(at).map_or("", |token| token.text.as_str());
        let may_be_item = segments[0].starts_with(char::is_uppercase) || matches!(next, "(" | "!");
        if segments.len() > 1 || may_be_item {
            found.push(Path {
                segments,
                line: tokens[start].line,
            });
        }
    }
    found
}
