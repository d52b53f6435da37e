//! The socket by which `tacet mic status` and its like reach the running microphone: a line there, lines back.
//!
//! It lies in the user's runtime directory, readable and writable by nobody else; one microphone holds it at a time.

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::Direction;

/// Most bytes of a command.
const MAX_COMMAND_BYTES: u64 = 1000;
/// How long a caller or an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Prefix of an answer that is an error.
const ERROR: &str = "error: ";

/// The path of a direction's socket.
///
/// # Errors
/// There is no runtime directory.
pub fn path(direction: Direction) -> Result<PathBuf> {
    let dir = dirs::runtime_dir().context(
        "there is no runtime directory: XDG_RUNTIME_DIR is not set, as it is in a session or after `loginctl enable-linger`",
    )?;
    Ok(dir.join(format!("{}.sock", direction.name())))
}

/// The socket, held while the microphone runs. Dropping it removes it.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
}

impl Socket {
    /// Listens, and answers every command by `answer`, on threads of its own.
    ///
    /// # Errors
    /// Another one listens there, or the socket cannot be made.
    pub fn listen<F>(path: &Path, answer: F) -> Result<Self>
    where
        F: Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    {
        if UnixStream::connect(path).is_ok() {
            bail!("it is already running: `tacet mic status` shows its state, `tacet mic stop` stops it");
        }
        let listen = || -> Result<UnixListener> {
            // Left by one that was killed: nobody answers there.
            if fs::symlink_metadata(path).is_ok() {
                fs::remove_file(path)?;
            }
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        let listener =
            listen().with_context(|| format!("{} cannot be opened as a socket", path.display()))?;
        let answer = Arc::new(answer);
        thread::Builder::new().name("tacet control".into()).spawn(move || {
            for caller in listener.incoming().flatten() {
                let answer = answer.clone();
                // A caller that says nothing keeps nobody else waiting.
                let _ = thread::Builder::new().spawn(move || serve(&caller, &*answer));
            }
        })?;
        Ok(Self { path: path.to_owned() })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

fn serve(caller: &UnixStream, answer: &dyn Fn(&str) -> Result<String, String>) {
    let exchange = || -> std::io::Result<()> {
        caller.set_read_timeout(Some(PATIENCE))?;
        caller.set_write_timeout(Some(PATIENCE))?;
        let mut command = String::new();
        BufReader::new(caller.take(MAX_COMMAND_BYTES)).read_line(&mut command)?;
        let text = answer(command.trim()).unwrap_or_else(|error| format!("{ERROR}{error}"));
        let mut writer = caller;
        writer.write_all(text.as_bytes())
    };
    // A caller that left has no use for the answer.
    let _ = exchange();
}

/// Sends a command to the running microphone; gives what it says.
///
/// # Errors
/// None runs, or it says that the command is wrong.
pub fn send(direction: Direction, command: &str) -> Result<String> {
    send_to(&path(direction)?, command)
        .with_context(|| format!("{} did not take `{command}`", direction.title()))
}

fn send_to(path: &Path, command: &str) -> Result<String> {
    let Ok(mut stream) = UnixStream::connect(path) else {
        bail!("it is not running: `tacet mic` starts it, `tacet mic enable` starts it with every session");
    };
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{command}\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    match text.strip_prefix(ERROR) {
        Some(error) => bail!("{error}"),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_answered_refused_or_finds_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.sock");
        let nobody = send_to(&path, "status").unwrap_err().to_string();
        assert!(nobody.contains("is not running"), "{nobody}");
        // The socket of a process that was killed.
        fs::write(&path, "").unwrap();
        let answer = |command: &str| match command {
            "status" => Ok("live\n".to_owned()),
            other => Err(format!("no {other} here")),
        };
        let socket = Socket::listen(&path, answer).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(send_to(&path, "status").unwrap(), "live\n");
        assert_eq!(send_to(&path, "dance").unwrap_err().to_string(), "no dance here");
        let second = Socket::listen(&path, answer).unwrap_err().to_string();
        assert!(second.contains("is already running"), "{second}");
        drop(socket);
        assert!(!path.exists());
    }
}
