//! The modules of one crate, read from its text: what each defines, what each imports, and where its code stands.
//!
//! Tests (`#[cfg(test)]`) are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::tokens::{Token, tokens};

pub type Files = BTreeMap<String, String>;

/// `use a::b as name;`
pub struct Import {
    /// `None` for `*`.
    pub name: Option<String>,
    pub path: Vec<String>,
    /// `pub use`: the name is for others, so the line alone does not say that this file needs it.
    pub is_reexport: bool,
    pub line: usize,
}

#[derive(Default)]
pub struct Module {
    pub parent: Option<usize>,
    /// The file below `src`; an inline module is part of the file around it.
    pub file: String,
    pub children: BTreeMap<String, usize>,
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// Every item but `mod` and `use`, and the attributes of all.
    pub code: Vec<Vec<Token>>,
    pub impls: Vec<Impl>,
}

/// An `impl` block.
pub struct Impl {
    /// The path of the type, without generics.
    pub of: Vec<String>,
    /// Between the braces.
    pub body: Vec<Token>,
    pub is_of_a_trait: bool,
}

pub struct Tree {
    pub modules: Vec<Module>,
    /// Where the modules of tests lie that have files of their own, without `.rs`.
    pub tests: Vec<String>,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    Module(usize),
    /// An item of a module, and what follows its name in the path.
    Item {
        module: usize,
        name: String,
        rest: Vec<String>,
    },
    /// Another crate, or a name that the text does not explain.
    Foreign(Vec<String>),
}

impl Tree {
    /// Reads the tree that hangs below `root` (`lib.rs` or `main.rs`).
    pub fn read(files: &Files, root: &str) -> Self {
        let mut tree = Self {
            modules: Vec::new(),
            tests: Vec::new(),
        };
        tree.add_file(files, root, None);
        tree
    }

    fn add_file(&mut self, files: &Files, file: &str, parent: Option<usize>) -> usize {
        let module = self.add(file, parent);
        let text = files
            .get(file)
            .unwrap_or_else(|| panic!("{file} is declared and missing"));
        self.read_items(files, module, &folder_of_children(file), &tokens(text));
        module
    }

    fn add(&mut self, file: &str, parent: Option<usize>) -> usize {
        self.modules.push(Module {
            parent,
            file: file.to_owned(),
            ..Module::default()
        });
        self.modules.len() - 1
    }

    /// `folder` is where the files of child modules are.
    fn read_items(&mut self, files: &Files, module: usize, folder: &str, mut rest: &[Token]) {
        while let Some(item) = Item::take(&mut rest) {
            let tokens = item.tokens;
            let name = tokens.get(1).map(|token| token.text.clone()).unwrap_or_default();
            if item.is_of_tests {
                self.tests.push(format!("{folder}{name}"));
                continue;
            }
            match tokens[0].text.as_str() {
                "mod" if tokens[2].text == "{" => {
                    let child = self.add(&self.modules[module].file.clone(), Some(module));
                    let inside = &tokens[3..tokens.len() - 1];
                    self.read_items(files, child, &format!("{folder}{name}/"), inside);
                    self.modules[module].children.insert(name, child);
                }
                "mod" => {
                    let places = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
                    let place = places.iter().find(|place| files.contains_key(*place));
                    let place = place.unwrap_or_else(|| panic!("none of {places:?} is there"));
                    let child = self.add_file(files, place, Some(module));
                    self.modules[module].children.insert(name, child);
                }
                _ => self.modules[module].read_item(tokens, item.is_public),
            }
            self.modules[module].code.push(item.attributes.to_vec());
        }
    }

    /// Where a path leads that is written in `from`. With `inside`, a name that is both a module and something else
    /// is the module.
    pub fn resolve(&self, from: usize, path: &[String], inside: bool) -> Target {
        self.resolve_guarded(from, path, inside, &mut Vec::new())
    }

    fn resolve_guarded(&self, from: usize, path: &[String], inside: bool, seen: &mut Vec<(usize, usize)>) -> Target {
        let foreign = || Target::Foreign(path.to_vec());
        let mut at = from;
        let mut rest = path;
        let mut is_relative = true;
        while let [first, others @ ..] = rest {
            let next = match first.as_str() {
                "crate" => Some(0),
                "self" => Some(at),
                "super" => self.modules[at].parent,
                _ => break,
            };
            let Some(next) = next else { return foreign() };
            (at, rest, is_relative) = (next, others, false);
        }
        while let [name, others @ ..] = rest {
            let wants_module = inside || !others.is_empty();
            match self.look_up(at, name, wants_module, seen) {
                Some(Target::Module(next)) => (at, rest) = (next, others),
                Some(Target::Item { module, name, mut rest }) => {
                    rest.extend_from_slice(others);
                    return Target::Item { module, name, rest };
                }
                Some(Target::Foreign(mut path)) => {
                    path.extend_from_slice(others);
                    return Target::Foreign(path);
                }
                None if is_relative => return foreign(),
                // The text does not show it: a macro made it, for example.
                None => return item(at, name, others),
            }
            is_relative = false;
        }
        Target::Module(at)
    }

    /// What a name means in a module.
    fn look_up(&self, at: usize, name: &str, wants_module: bool, seen: &mut Vec<(usize, usize)>) -> Option<Target> {
        let module = &self.modules[at];
        let child = module.children.get(name).map(|child| Target::Module(*child));
        if wants_module && child.is_some() {
            return child;
        }
        if module.items.contains(name) {
            return Some(item(at, name, &[]));
        }
        let named = self
            .through_imports(at, Some(name), &[], wants_module, seen)
            .into_iter()
            .next();
        let starred = || {
            let found = self.through_imports(at, None, &[name.to_owned()], wants_module, seen);
            // A foreign `*` explains every name, which is to say none.
            found.into_iter().find(|target| !matches!(target, Target::Foreign(_)))
        };
        named.or(child).or_else(starred)
    }

    fn through_imports(
        &self,
        at: usize,
        name: Option<&str>,
        more: &[String],
        wants_module: bool,
        seen: &mut Vec<(usize, usize)>,
    ) -> Vec<Target> {
        let mut found = Vec::new();
        for (index, import) in self.modules[at].imports.iter().enumerate() {
            if import.name.as_deref() != name || seen.contains(&(at, index)) {
                continue;
            }
            seen.push((at, index));
            let target = if more.is_empty() {
                Some(self.resolve_guarded(at, &import.path, wants_module, seen))
            } else {
                // Only a name that is really there counts: `*` would otherwise explain everything.
                match self.resolve_guarded(at, &import.path, true, seen) {
                    Target::Module(next) => self.look_up(next, &more[0], wants_module, seen),
                    _ => None,
                }
            };
            found.extend(target);
            seen.pop();
        }
        found
    }
}

fn item(module: usize, name: &str, rest: &[String]) -> Target {
    Target::Item {
        module,
        name: name.to_owned(),
        rest: rest.to_vec(),
    }
}

/// `a/mod.rs` and `lib.rs` have their children beside them, `a.rs` in the folder `a`.
fn folder_of_children(file: &str) -> String {
    match file.rsplit_once('/') {
        Some((folder, "mod.rs")) => format!("{folder}/"),
        None if matches!(file, "lib.rs" | "main.rs") => String::new(),
        _ => format!("{}/", file.trim_end_matches(".rs")),
    }
}

/// One item.
struct Item<'a> {
    tokens: &'a [Token],
    /// And its visibility.
    attributes: &'a [Token],
    is_public: bool,
    is_of_tests: bool,
}

impl<'a> Item<'a> {
    /// Takes the next item from the front of the tokens.
    fn take(rest: &mut &'a [Token]) -> Option<Self> {
        let (mut is_public, mut is_of_tests) = (false, false);
        let whole = *rest;
        loop {
            match rest.first()?.text.as_str() {
                "#" => {
                    let start = rest.iter().position(|token| token.text == "[")?;
                    let length = start + group(&rest[start..]);
                    let words: Vec<_> = rest[start + 1..length]
                        .iter()
                        .map(|token| token.text.as_str())
                        .collect();
                    is_of_tests |= words[0] == "cfg" && words.contains(&"test") && !words.contains(&"not");
                    *rest = &rest[length..];
                }
                "pub" => {
                    is_public = true;
                    let has_scope = rest.get(1).is_some_and(|token| token.text == "(");
                    *rest = &rest[if has_scope { 1 + group(&rest[1..]) } else { 1 }..];
                }
                _ => break,
            }
        }
        let attributes = &whole[..whole.len() - rest.len()];
        let (tokens, others) = rest.split_at(item_length(rest));
        *rest = others;
        Some(Self {
            tokens,
            attributes,
            is_public,
            is_of_tests,
        })
    }
}

/// How many tokens the group has that the first one opens.
fn group(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}

fn item_length(tokens: &[Token]) -> usize {
    let is_function = tokens.iter().take(5).any(|token| token.text == "fn");
    let ends_at_semicolon = matches!(tokens[0].text.as_str(), "use" | "static" | "type" | "const") && !is_function;
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            ";" => return at + 1,
            "{" if !ends_at_semicolon => return at + group(&tokens[at..]),
            "(" | "[" | "{" => at += group(&tokens[at..]),
            _ => at += 1,
        }
    }
    tokens.len()
}

impl Module {
    fn read_item(&mut self, tokens: &[Token], is_public: bool) {
        match tokens[0].text.as_str() {
            "use" => return self.read_use(&tokens[1..], is_public),
            "impl" => self.impls.extend(Impl::read(tokens)),
            "macro_rules" => self.items.extend(tokens.get(2).map(|token| token.text.clone())),
            _ if tokens.get(1).is_some_and(|token| token.text == "!") => {
                // A macro that makes items: every type named in it may be one of them.
                let types = tokens.iter().filter(|token| token.text.starts_with(char::is_uppercase));
                self.items.extend(types.map(|token| token.text.clone()));
            }
            _ => self.items.extend(defined_name(tokens)),
        }
        self.read_inner_uses(tokens);
        self.code.push(tokens.to_vec());
    }

    /// `use` inside of functions.
    fn read_inner_uses(&mut self, tokens: &[Token]) {
        for (index, token) in tokens.iter().enumerate() {
            // `use<'a>` in a type is something else.
            if token.text == "use" && tokens.get(index + 1).is_some_and(|next| next.text != "<") {
                self.read_use(&tokens[index + 1..], false);
            }
        }
    }

    fn read_use(&mut self, tokens: &[Token], is_reexport: bool) {
        let end = tokens
            .iter()
            .position(|token| token.text == ";")
            .unwrap_or(tokens.len());
        self.read_use_tree(&tokens[..end], &[], is_reexport);
    }

    fn read_use_tree(&mut self, tokens: &[Token], before: &[String], is_reexport: bool) {
        let mut path = before.to_vec();
        let mut name = None;
        let line = tokens.first().map_or(0, |token| token.line);
        for (index, token) in tokens.iter().enumerate() {
            match token.text.as_str() {
                "::" => {}
                "{" => {
                    let inside = &tokens[index + 1..index + group(&tokens[index..]) - 1];
                    for branch in split_at_commas(inside) {
                        self.read_use_tree(branch, &path, is_reexport);
                    }
                    return;
                }
                "*" => {
                    return self.imports.push(Import {
                        name: None,
                        path,
                        is_reexport,
                        line,
                    });
                }
                "as" => {
                    name = tokens.get(index + 1).map(|token| token.text.clone());
                    break;
                }
                // `{self}` names the module around it.
                "self" if !path.is_empty() => {}
                word => path.push(word.to_owned()),
            }
        }
        let name = name.or_else(|| path.last().cloned());
        self.imports.push(Import {
            name,
            path,
            is_reexport,
            line,
        });
    }
}

fn split_at_commas(tokens: &[Token]) -> Vec<&[Token]> {
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < tokens.len() {
        if tokens[at].text == "," {
            found.push(&tokens[start..at]);
            start = at + 1;
        }
        at += if tokens[at].text == "{" {
            group(&tokens[at..])
        } else {
            1
        };
    }
    found.push(&tokens[start..]);
    found.retain(|branch| !branch.is_empty());
    found
}

/// The name that an item defines.
fn defined_name(tokens: &[Token]) -> Option<String> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "union", "trait", "type", "const", "static"];
    let is_kind = |(index, token): &(usize, &Token)| {
        let is_before_fn =
            token.text == "const" && matches!(tokens[index + 1].text.as_str(), "fn" | "unsafe" | "async");
        KINDS.contains(&token.text.as_str()) && !is_before_fn
    };
    let (kind, _) = tokens.iter().enumerate().take(5).find(is_kind)?;
    let name = tokens[kind + 1..].iter().find(|token| token.text != "mut")?;
    Some(name.text.clone())
}

impl Impl {
    fn read(tokens: &[Token]) -> Option<Self> {
        let open = tokens.iter().position(|token| token.text == "{")?;
        let mut head = &tokens[1..open];
        if head.first()?.text == "<" {
            head = &head[angles(head)..];
        }
        let end = head
            .iter()
            .position(|token| token.text == "where")
            .unwrap_or(head.len());
        head = &head[..end];
        let of = head.iter().position(|token| token.text == "for");
        let of_type = &head[of.map_or(0, |of| of + 1)..];
        let path = of_type.iter().take_while(|token| token.text != "<");
        Some(Self {
            of: path
                .filter(|token| token.is_word())
                .map(|token| token.text.clone())
                .collect(),
            body: tokens[open + 1..tokens.len() - 1].to_vec(),
            is_of_a_trait: of.is_some(),
        })
    }

    /// The names of the functions it defines.
    pub fn functions(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.body.len() {
            if self.body[at].text == "fn" {
                found.extend(self.body.get(at + 1).map(|token| token.text.clone()));
            }
            at += if self.body[at].text == "{" {
                group(&self.body[at..])
            } else {
                1
            };
        }
        found
    }
}

/// How many tokens the generics have that the first one opens.
fn angles(tokens: &[Token]) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index + 1;
        }
    }
    tokens.len()
}
