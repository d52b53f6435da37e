//! The places of a runtime pack, in order: the one that `TACET_TORCH_DIR` names, the per-user data directory, then inside
//! or beside the plugin's own bundle (sandboxed hosts may read nothing else).

use std::path::{Path, PathBuf};

use crate::abi::TORCH_VERSION;
use crate::manifest::MANIFEST_FILE;

pub use crate::manifest::DIR_VARIABLE;

/// A pack's directory inside or beside a bundle.
pub const BUNDLED_DIR: &str = "tacet-torch";

/// How a place came to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// [`DIR_VARIABLE`].
    Variable,
    /// The per-user data directory.
    User,
    /// The bundle that holds this program or plugin.
    Bundle,
}

/// A place that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Why there.
    pub origin: Origin,
    /// The pack's directory, whether or not it exists.
    pub dir: PathBuf,
}

impl Place {
    /// Whether there is a pack, whole or not.
    pub fn has_pack(&self) -> bool {
        self.dir.join(MANIFEST_FILE).is_file()
    }
}

/// Names the directory of this user's files in place of the system's: for tests, and for a studio on a removable disk.
pub const DATA_VARIABLE: &str = "TACET_DATA_DIR";

/// The directory of everything kept for this user: the one that [`DATA_VARIABLE`] names, or `tacet` in the per-user data
/// directory. `None` without a home directory.
pub fn data_dir() -> Option<PathBuf> {
    data_dir_from(std::env::var_os(DATA_VARIABLE).map(PathBuf::from), dirs::data_local_dir())
}

fn data_dir_from(variable: Option<PathBuf>, system: Option<PathBuf>) -> Option<PathBuf> {
    match variable.filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => Some(std::path::absolute(&dir).unwrap_or(dir)),
        None => Some(system?.join("tacet")),
    }
}

/// The directory of this user's packs, which has one for each libtorch version. `None` without a home directory.
pub fn user_dir() -> Option<PathBuf> {
    Some(data_dir()?.join("torch").join(TORCH_VERSION))
}

/// A folder with models inside or beside a bundle. Models of live audio lie where packs do: one file serves all formats.
pub const BUNDLED_MODELS_DIR: &str = "tacet-models";

/// The directory of this user's models. `None` without a home directory.
pub fn user_models_dir() -> Option<PathBuf> {
    Some(data_dir()?.join("models"))
}

/// The directories of models for all users, the first being the one to install to.
pub fn system_models_dirs() -> Vec<PathBuf> {
    let below = |base: PathBuf| base.join("tacet").join("models");
    if cfg!(target_os = "macos") {
        vec![below("/Library/Application Support".into())]
    } else if cfg!(windows) {
        std::env::var_os("ProgramData").map(|base| below(base.into())).into_iter().collect()
    } else {
        // The XDG Base Directory Specification's default of XDG_DATA_DIRS.
        ["/usr/local/share", "/usr/share"].map(|base| below(base.into())).into()
    }
}

/// The folder that [`DIR_VARIABLE`] names.
pub fn variable_dir() -> Option<PathBuf> {
    variable_dir_from(std::env::var_os(DIR_VARIABLE).map(PathBuf::from))
}

fn variable_dir_from(variable: Option<PathBuf>) -> Option<PathBuf> {
    let dir = variable.filter(|dir| !dir.as_os_str().is_empty())?;
    // Loaders search their own places for what is relative.
    Some(std::path::absolute(&dir).unwrap_or(dir))
}

/// The places in the order in which they are tried. `module` is the file of the running program or plugin.
pub fn places(module: Option<&Path>) -> Vec<Place> {
    places_from(std::env::var_os(DIR_VARIABLE).map(PathBuf::from), user_dir(), module)
}

fn places_from(variable: Option<PathBuf>, user: Option<PathBuf>, module: Option<&Path>) -> Vec<Place> {
    if let Some(dir) = variable_dir_from(variable) {
        return vec![Place { origin: Origin::Variable, dir }];
    }
    let user = user.map(|dir| Place { origin: Origin::User, dir });
    let bundle = module.into_iter().flat_map(bundle_dirs).map(|dir| Place { origin: Origin::Bundle, dir });
    user.into_iter().chain(bundle).collect()
}

/// Packs that come with a module; a pack in `Contents/Resources` has its libraries in `Contents/Frameworks`, see
/// [`lib_dir`](crate::manifest::lib_dir).
pub fn bundle_dirs(module: &Path) -> Vec<PathBuf> {
    folders_of(module, BUNDLED_DIR)
}

/// Candidates for a folder `name` that comes with a module: in `Contents/Resources` for one in a bundle, beside the
/// module, or beside the bundle that holds it (VST3 keeps the module in `Contents/x86_64-linux`).
pub fn folders_of(module: &Path, name: &str) -> Vec<PathBuf> {
    let Some(dir) = module.parent() else { return Vec::new() };
    let mut dirs = vec![dir.join(name)];
    if let Some(contents) = dir.parent().filter(|contents| contents.ends_with("Contents")) {
        dirs.insert(0, contents.join("Resources").join(name));
        dirs.extend(contents.parent().and_then(Path::parent).map(|beside| beside.join(name)));
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_users_files_are_where_the_variable_says() {
        let system = || Some(PathBuf::from("/u"));
        assert_eq!(data_dir_from(None, system()), Some("/u".into()).map(|dir: PathBuf| dir.join("tacet")));
        assert_eq!(data_dir_from(Some("".into()), system()), data_dir_from(None, system()));
        assert_eq!(data_dir_from(None, None), None);
        let dir = data_dir_from(Some("studio".into()), None).unwrap();
        assert!(dir.is_absolute() && dir.ends_with("studio"), "{}", dir.display());
    }

    #[test]
    fn the_variable_overrules_everything() {
        let user = Some(PathBuf::from("/u"));
        let module = Path::new("/x/Tacet.clap/Contents/MacOS/Tacet");
        let named = places_from(Some("/packs/mine".into()), user.clone(), Some(module));
        // On Windows it has a drive.
        let dir = std::path::absolute("/packs/mine").unwrap();
        assert_eq!(named, [Place { origin: Origin::Variable, dir }]);
        let relative = &places_from(Some("mine".into()), user.clone(), Some(module))[0].dir;
        assert!(relative.is_absolute() && relative.ends_with("mine"), "{}", relative.display());
        let places = places_from(Some("".into()), user, Some(module));
        let dirs: Vec<&Path> = places.iter().map(|place| place.dir.as_path()).collect();
        let expected = [
            "/u",
            "/x/Tacet.clap/Contents/Resources/tacet-torch",
            "/x/Tacet.clap/Contents/MacOS/tacet-torch",
            "/x/tacet-torch",
        ];
        assert_eq!(dirs, expected.map(Path::new));
    }

    #[test]
    fn models_lie_beside_the_bundle_that_holds_a_module() {
        let vst3 = folders_of(Path::new("/x/Tacet.vst3/Contents/x86_64-linux/Tacet.so"), BUNDLED_MODELS_DIR);
        assert!(vst3.contains(&PathBuf::from("/x/tacet-models")), "{vst3:?}");
        assert_eq!(
            folders_of(Path::new("/x/Tacet.clap"), BUNDLED_MODELS_DIR),
            [Path::new("/x/tacet-models")]
        );
        assert!(system_models_dirs().iter().all(|dir| dir.ends_with("tacet/models")));
    }

    #[test]
    fn a_plain_module_has_its_pack_beside_it() {
        let places = places_from(None, None, Some(Path::new("/lib/clap/Tacet.clap")));
        assert_eq!(places, [Place { origin: Origin::Bundle, dir: "/lib/clap/tacet-torch".into() }]);
        assert_eq!(places_from(None, None, None), []);
    }
}
