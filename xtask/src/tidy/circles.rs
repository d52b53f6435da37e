//! No circles between modules: of two neighbours that use each other, neither can be read or changed alone.
//!
//! Neighbours are the modules below one parent, each with everything below it. A module's use of its parent's items is no
//! circle, as that is where its context lies, unless such an item uses the module itself.

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
    let mut findings = with_parents(root, &modules, &found, &is_test);
    let finding = |(parent, uses): (Module, BTreeSet<(String, String)>)| {
        let circle = circle(&uses)?;
        let parent = if parent.is_empty() { "the crate's root".to_owned() } else { parent.join("::") };
        let text = format!("modules of {parent} use each other in a circle: {}", circle.join(", "));
        Some(Finding { path: root.to_owned(), line: None, text })
    };
    findings.extend(uses.into_iter().filter_map(finding));
    findings
}

/// Items that use a module below them which uses them.
fn with_parents(
    root: &str,
    modules: &BTreeMap<Module, &Source>,
    found: &BTreeMap<&Module, Found>,
    is_test: &dyn Fn(&Module) -> bool,
) -> Vec<Finding> {
    let mut circles = BTreeSet::new();
    for (module, uses) in found.iter().filter(|(module, _)| !is_test(module)) {
        for path in uses.relative() {
            let (used, rest) = target(path, module, modules);
            let (Some(item), Some(below)) = (rest.first(), module.get(used.len())) else { continue };
            let by = found.get(&used).and_then(|parent| parent.items.get(item));
            if module.starts_with(&used) && by.is_some_and(|children| children.contains(below)) {
                circles.insert((used.join("::"), item.clone(), below.clone()));
            }
        }
    }
    let finding = |(parent, item, below): (String, String, String)| {
        let text = format!("`{item}` of {parent} and its module {below} use each other");
        Finding { path: root.to_owned(), line: None, text }
    };
    circles.into_iter().map(finding).collect()
}

/// The module that a path leads to, seen from `module`, and the rest of the path: an item.
fn target<'a>(
    path: &'a [String],
    module: &Module,
    modules: &BTreeMap<Module, &Source>,
) -> (Module, &'a [String]) {
    let mut at: Module = if path[0] == "crate" { Vec::new() } else { module.clone() };
    for (i, name) in path.iter().enumerate() {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            name => {
                at.push(name.to_owned());
                if !modules.contains_key(&at) {
                    at.pop();
                    return (at, &path[i..]);
                }
            }
        }
    }
    (at, &[])
}

/// A file's uses of modules, its tests left out.
#[derive(Default)]
struct Found {
    /// Every path, those of `use` among them.
    paths: Vec<Vec<String>>,
    /// Modules below that are compiled for tests alone.
    tests: BTreeSet<String>,
    /// Modules below that each item uses, by the item's name.
    items: BTreeMap<String, BTreeSet<String>>,
}

impl Found {
    fn in_file(source: &Source) -> Self {
        let mut found = Self::default();
        // A file that does not parse does not compile either.
        if let Ok(file) = syn::parse_file(&source.text) {
            found.visit_file(&file);
            found.items = items(&file);
        }
        found
    }

    /// The modules that the paths lead to, seen from `module`.
    fn used_modules(&self, module: &Module, modules: &BTreeMap<Module, &Source>) -> BTreeSet<Module> {
        self.relative().map(|path| target(path, module, modules).0).collect()
    }

    /// Paths that begin with `crate`, `self` or `super`.
    fn relative(&self) -> impl Iterator<Item = &[String]> {
        let is_relative = |first: &String| matches!(first.as_str(), "crate" | "self" | "super");
        self.paths.iter().filter(move |path| path.first().is_some_and(is_relative)).map(Vec::as_slice)
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
        self.paths.extend(imports(&item.tree).into_iter().map(|(path, _)| path));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }
}

/// The modules below that each item of a file uses, itself and in its methods.
fn items(file: &syn::File) -> BTreeMap<String, BTreeSet<String>> {
    // Modules below, and the names imported from them.
    let mut below: BTreeMap<String, String> = BTreeMap::new();
    for item in &file.items {
        if let syn::Item::Mod(item) = item {
            below.insert(item.ident.to_string(), item.ident.to_string());
        }
    }
    for item in &file.items {
        let syn::Item::Use(item) = item else { continue };
        for (path, name) in imports(&item.tree) {
            if let Some(module) = first(&path).and_then(|first| below.get(first)).cloned() {
                below.entry(name).or_insert(module);
            }
        }
    }
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for item in &file.items {
        let Some(name) = name(item) else { continue };
        let mut found = Found::default();
        found.visit_item(item);
        let modules = found.paths.iter().filter_map(|path| below.get(first(path)?));
        uses.entry(name).or_default().extend(modules.cloned());
    }
    uses
}

/// The name that an item has for the modules below: for methods, that of their type.
fn name(item: &syn::Item) -> Option<String> {
    Some(match item {
        syn::Item::Fn(item) => item.sig.ident.to_string(),
        syn::Item::Struct(item) => item.ident.to_string(),
        syn::Item::Enum(item) => item.ident.to_string(),
        syn::Item::Const(item) => item.ident.to_string(),
        syn::Item::Static(item) => item.ident.to_string(),
        syn::Item::Type(item) => item.ident.to_string(),
        syn::Item::Trait(item) => item.ident.to_string(),
        syn::Item::Impl(item) => match &*item.self_ty {
            syn::Type::Path(path) => path.path.segments.last()?.ident.to_string(),
            _ => return None,
        },
        _ => return None,
    })
}

/// The first name of a path, seen from its file.
fn first(path: &[String]) -> Option<&String> {
    path.iter().find(|name| *name != "self")
}

/// The paths of a `use`, each with the name that it gets here.
fn imports(tree: &syn::UseTree) -> Vec<(Vec<String>, String)> {
    match tree {
        syn::UseTree::Path(syn::UsePath { ident, tree, .. }) => {
            let inner = imports(tree).into_iter();
            inner.map(|(path, name)| ([vec![ident.to_string()], path].concat(), name)).collect()
        }
        syn::UseTree::Group(group) => group.items.iter().flat_map(imports).collect(),
        syn::UseTree::Name(name) => vec![(vec![name.ident.to_string()], name.ident.to_string())],
        syn::UseTree::Rename(name) => vec![(vec![name.ident.to_string()], name.rename.to_string())],
        syn::UseTree::Glob(_) => vec![(Vec::new(), "*".to_owned())],
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
    fn an_item_and_the_module_below_that_use_each_other_are_found() {
        let below = ("x/y.rs", "use super::X;\npub struct Y;\nfn f(_: &X) {}");
        let text = "`X` of x and its module y use each other";
        for parent in [
            "mod y;\npub struct X(y::Y);",
            "mod y;\nuse y::{Y as Z, f};\npub struct X;\nimpl X { fn g() -> Z { loop {} } }",
            "mod y;\nuse self::y::f;\npub enum X {}\nimpl Drop for X { fn drop(&mut self) { f(self) } }",
        ] {
            assert_eq!(found(&[("x.rs", parent), below]), [text], "{parent}");
        }
        // Another item of the parent uses the module, or gives its name on.
        for parent in ["mod y;\nuse y::f;\npub struct X;\nfn g() { f(&X) }", "mod y;\nmod z;\npub use z::X;"]
        {
            assert_eq!(found(&[("x.rs", parent), below, ("x/z.rs", "pub struct X;")]), [""; 0], "{parent}");
        }
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
