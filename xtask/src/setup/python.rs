//! Python 3 with pip: the ordinary client through which models are fetched.

use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// How a Python 3 that has pip is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Python {
    program: &'static str,
    arguments: &'static [&'static str],
}

/// Tried in this order. `py` is Windows' launcher.
const CANDIDATES: [Python; 3] = [
    Python { program: "python3", arguments: &[] },
    Python { program: "python", arguments: &[] },
    Python { program: "py", arguments: &["-3"] },
];

/// Exits with success on Python 3 only.
const IS_PYTHON_3: [&str; 2] = ["-c", "import sys; sys.exit(sys.version_info[0] != 3)"];

/// The next step where no Python 3 has pip.
const NEXT_STEP: &str = if cfg!(target_os = "macos") {
    "run `xcode-select --install` or install Python 3 from python.org"
} else if cfg!(windows) {
    "install Python 3 from python.org and let its installer add it to PATH"
} else {
    "install your distribution's packages of both (Debian and Ubuntu: `apt-get install python3 python3-pip`)"
};

impl Python {
    /// The first candidate that is Python 3 and has pip.
    ///
    /// # Errors
    /// There is none; the text distinguishes a missing Python from a missing pip, and names the fix.
    pub fn find() -> Result<Self> {
        let pythons: Vec<Self> = CANDIDATES.into_iter().filter(|python| python.runs(&IS_PYTHON_3)).collect();
        match pythons.iter().find(|python| python.has_pip()) {
            Some(python) => Ok(*python),
            None if pythons.is_empty() => {
                bail!("Python 3 with pip fetches the model, and neither is here: {NEXT_STEP}")
            }
            None => bail!(
                "{} has no pip, which fetches the model: {NEXT_STEP}, or run `{} -m ensurepip --user`",
                pythons[0].program,
                pythons[0].program
            ),
        }
    }

    /// A command that starts with this Python.
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program);
        command.args(self.arguments);
        command
    }

    fn has_pip(&self) -> bool {
        // Without starting pip, which takes a third of a second.
        self.runs(&["-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('pip') is None)"])
    }

    fn runs(&self, arguments: &[&str]) -> bool {
        shell::succeeds(self.program, &[self.arguments, arguments].concat())
    }
}
