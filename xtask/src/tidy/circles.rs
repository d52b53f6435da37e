//! No circles between modules: of two neighbours that use each other, neither can be read or changed alone.
//!
//! Neighbours are the modules below one parent, each with everything below it. A module's use of its parent is no circle:
//! that is where its context lies.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use super::{Finding, Source};

/// A module's path within its crate; empty for the root.
type Module = Vec<String>;

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let manifests = sources.iter().filter(|source| source.file_name() == "Cargo.toml");
    let roots = manifests.map(|source| source.path.trim_end_matches("Cargo.toml").to_owned() + "src/");
    let roots: Vec<String> = roots.collect();
    roots.iter().flat_map(|root| circles(root, &roots, sources)).collect()
}

/// The circles of the crate whose sources lie below `root`.
fn circles(root: &str, roots: &[String], sources: &[Source]) -> Vec<Finding> {
    let mut modules: BTreeMap<Module, &Source> = BTreeMap::new();
    for source in sources {
        let Some(path) = source.path.strip_prefix(root).and_then(|path| path.strip_suffix(".rs")) else {
            continue;
        };
        // A crate within a crate's folder is another crate.
        if roots.iter().any(|other| other.len() > root.len() && source.path.starts_with(other.as_str())) {
            continue;
        }
        let module = if matches!(path, "lib" | "main") { "" } else { path };
        modules.insert(module.split_terminator('/').map(str::to_owned).collect(), source);
    }
    let found: BTreeMap<&Module, Found> =
        modules.iter().map(|(module, source)| (module, Found::in_file(source))).collect();
    let is_test = |module: &Module| {
        (1..=module.len()).any(|n| {
            let parent = found.get(&module[..n - 1].to_vec());
            parent.is_some_and(|parent| parent.tests.contains(&module[n - 1]))
        })
    };
    // For each parent, which of its children uses which.
    let mut uses: BTreeMap<Module, BTreeSet<(String, String)>> = BTreeMap::new();
    for (module, found) in found.iter().filter(|(module, _)| !is_test(module)) {
        for used in found.used_modules(module, &modules) {
            let n_common = module.iter().zip(&used).take_while(|(a, b)| a == b).count();
            if let (Some(from), Some(to)) = (module.get(n_common), used.get(n_common)) {
                uses.entry(module[..n_common].to_vec()).or_default().insert((from.clone(), to.clone()));
            }
        }
    }
    let finding = |(parent, uses): (Module, BTreeSet<(String, String)>)| {
        let circle = circle(&uses)?;
        let parent = if parent.is_empty() { "the crate's root".to_owned() } else { parent.join("::") };
        let text = format!("modules of {parent} use each other in a circle: {}", circle.join(", "));
        Some(Finding { path: root.to_owned(), line: None, text })
    };
    uses.into_iter().filter_map(finding).collect()
}

/// A file's uses of modules, its tests left out.
#[derive(Default)]
struct Found {
    /// Paths that begin with `crate`, `self` or `super`.
    paths: Vec<Vec<String>>,
    /// Modules below that are compiled for tests alone.
    tests: BTreeSet<String>,
}

impl Found {
    fn in_file(source: &Source) -> Self {
        let mut found = Self::default();
        // A file that does not parse does not compile either.
        if let Ok(file) = syn::parse_file(&source.text) {
            found.visit_file(&file);
        }
        found
    }

    /// The modules that the paths lead to, seen from `module`.
    fn used_modules(&self, module: &Module, modules: &BTreeMap<Module, &Source>) -> BTreeSet<Module> {
        let target = |path: &Vec<String>| {
            let mut at: Module = if path[0] == "crate" { Vec::new() } else { module.clone() };
            for name in path.iter().filter(|name| !matches!(name.as_str(), "crate" | "self")) {
                if name == "super" {
                    at.pop();
                    continue;
                }
                at.push(name.clone());
                if !modules.contains_key(&at) {
                    at.pop();
                    break;
                }
            }
            at
        };
        self.paths.iter().map(target).collect()
    }

    fn add(&mut self, path: Vec<String>) {
        if path.first().is_some_and(|first| matches!(first.as_str(), "crate" | "self" | "super")) {
            self.paths.push(path);
        }
    }

    fn add_tree(&mut self, mut before: Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                before.push(path.ident.to_string());
                self.add_tree(before, &path.tree);
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_tree(before.clone(), tree));
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                before.push(ident.to_string());
                self.add(before);
            }
            syn::UseTree::Glob(_) => self.add(before),
        }
    }
}

impl<'ast> Visit<'ast> for Found {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
        };
        if item.attrs.iter().any(is_test) {
            self.tests.insert(item.ident.to_string());
        } else {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(Vec::new(), &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The modules of a circle, if there is one.
fn circle(uses: &BTreeSet<(String, String)>) -> Option<Vec<&str>> {
    let reached = |start: &str| {
        let mut reached = BTreeSet::new();
        let mut open = vec![start.to_owned()];
        while let Some(from) = open.pop() {
            for (_, to) in uses.iter().filter(|(a, _)| *a == from) {
                if reached.insert(to.as_str()) {
                    open.push(to.clone());
                }
            }
        }
        reached
    };
    let start = uses.iter().map(|(from, _)| from.as_str()).find(|from| reached(from).contains(from))?;
    Some(reached(start).into_iter().filter(|to| reached(to).contains(start)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::source::source;
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let manifest = source("a/Cargo.toml", "");
        let files = files.iter().map(|(path, text)| source(&format!("a/src/{path}"), text));
        let sources: Vec<Source> = std::iter::once(manifest).chain(files).collect();
        check(&sources).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn neighbours_that_use_each_other_are_found() {
        let there = ("x.rs", "use crate::{y::z::Deep, other};");
        let back = ("y/z.rs", "fn f() -> crate::x::Thing { loop {} }");
        let findings = found(&[there, ("y.rs", "mod z;"), back]);
        assert_eq!(findings, ["modules of the crate's root use each other in a circle: x, y"]);
        let inner = [
            ("p.rs", ""),
            ("p/a.rs", "use super::b;"),
            ("p/b.rs", "use super::c::C;"),
            ("p/c.rs", "use super::a::A;"),
        ];
        assert_eq!(found(&inner), ["modules of p use each other in a circle: a, b, c"]);
    }

    #[test]
    fn parents_tests_and_comments_make_no_circle() {
        assert_eq!(found(&[("x.rs", "use self::y::Y;"), ("x/y.rs", "use super::X;")]), [""; 0]);
        let test = "//! See [`crate::x`].\n#[cfg(test)]\nmod tests { use crate::x::X; }";
        assert_eq!(found(&[("x.rs", "use crate::y::Y;"), ("y.rs", test)]), [""; 0]);
        let tests = ("y.rs", "#[cfg(test)]\nmod golden;");
        assert_eq!(
            found(&[("x.rs", "use crate::y::Y;"), tests, ("y/golden.rs", "use crate::x::X;")]),
            [""; 0]
        );
    }
}
