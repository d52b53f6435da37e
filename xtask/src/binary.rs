//! Headers of a built library or program: exports, imports, the oldest system.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use object::macho::MachHeader64;
use object::read::macho::{LoadCommandVariant, MachHeader};
use object::{Endianness, File, NameOrOrdinal, Object};

/// A binary of any system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Binary {
    /// Names that others can find in it.
    pub(crate) exports: BTreeSet<String>,
    /// The symbols that it takes from each library, and the libraries it loads without taking any.
    pub(crate) imports: BTreeMap<String, BTreeSet<String>>,
    /// Imported symbols without which it starts as well.
    pub(crate) weak: BTreeSet<String>,
    /// Properties of macOS's binaries.
    pub(crate) apple: Apple,
}

/// Properties of macOS's binaries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Apple {
    /// The oldest system, as in property lists: "11.0".
    pub(crate) minimum: Option<String>,
    /// The name by which others load a library.
    pub(crate) install_name: Option<String>,
    /// Folders where it looks for libraries.
    pub(crate) search_paths: Vec<String>,
}

impl Binary {
    /// Reads the binary at `path`.
    ///
    /// # Errors
    /// It cannot be read, or is no binary of a known kind.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let parse = || -> Result<Self> {
            let bytes = fs::read(path)?;
            Self::parse(&bytes)
        };
        parse().with_context(|| format!("{} cannot be examined", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        let file = File::parse(bytes)?;
        let mut binary = Self::default();
        for export in file.exports()? {
            binary.exports.insert(name(export?.name()));
        }
        for library in file.import_libraries()? {
            binary.imports.entry(text(library?.name())).or_default();
        }
        for import in file.imports()? {
            let import = import?;
            if import.is_weak() {
                binary.weak.insert(name(import.name()));
            }
            binary.imports.entry(text(import.library())).or_default().insert(name(import.name()));
        }
        if matches!(file, File::MachO64(_)) {
            binary.apple = Apple::parse(bytes)?;
        }
        Ok(binary)
    }
}

impl Apple {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let header = MachHeader64::<Endianness>::parse(bytes, 0)?;
        let endian = header.endian()?;
        let mut commands = header.load_commands(endian, bytes, 0)?;
        let mut apple = Self::default();
        while let Some(command) = commands.next()? {
            match command.variant()? {
                LoadCommandVariant::BuildVersion(version, _) => {
                    let minimum = version.minos.get(endian);
                    apple.minimum = Some(format!("{}.{}", minimum.major(), minimum.minor()));
                }
                LoadCommandVariant::IdDylib(id) => {
                    apple.install_name = Some(text(command.string(endian, id.dylib.name)?));
                }
                LoadCommandVariant::Rpath(path) => {
                    apple.search_paths.push(text(command.string(endian, path.path)?));
                }
                _ => {}
            }
        }
        Ok(apple)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(name: NameOrOrdinal<&[u8]>) -> String {
    match name {
        NameOrOrdinal::Name(name) => text(name),
        NameOrOrdinal::Ordinal(ordinal) => format!("#{ordinal}"),
    }
}
