//! A desktop's accessibility bus of the test's own, and what a screen reader does on it: it finds controls by their names,
//! reads and turns them. AT-SPI, as of at-spi2-core.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::OwnedObjectPath;

/// The interfaces that every object, those with a value, and those that can be pressed have.
const ACCESSIBLE: &str = "org.a11y.atspi.Accessible";
const VALUE: &str = "org.a11y.atspi.Value";
const ACTION: &str = "org.a11y.atspi.Action";
/// How long a program may take to answer: drawn in software on a loaded machine, a picture takes seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// A session bus, and the accessibility bus that at-spi2-core starts on it.
pub struct Desktop {
    session: Child,
    /// The session bus's address, for `DBUS_SESSION_BUS_ADDRESS`.
    pub address: String,
    _folder: tempfile::TempDir,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        // Its children end with it.
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

impl Desktop {
    /// Starts one; `None` where D-Bus or at-spi2-core is missing, unless `TACET_REQUIRE_DISPLAY` is set.
    pub fn start() -> Option<Self> {
        let absent = |what: &str| {
            let text = format!("{what} (Debian, Ubuntu: apt-get install dbus-daemon at-spi2-core)");
            assert!(std::env::var_os("TACET_REQUIRE_DISPLAY").is_none(), "{text}");
            eprintln!("skipped: {text}");
        };
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--print-address=1"])
            // Children of the bus must neither find the user's desktop nor hold a screen.
            .env_remove("DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut session = match started {
            Ok(session) => session,
            Err(error) => {
                absent(&format!("dbus-daemon does not start: {error}"));
                return None;
            }
        };
        let mut address = String::new();
        BufReader::new(session.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let desktop = Self { session, address: address.trim().into(), _folder: folder };
        match desktop.connect() {
            Ok(_) => Some(desktop),
            Err(error) => {
                absent(&format!("no accessibility bus: {error}"));
                None
            }
        }
    }

    fn connect(&self) -> zbus::Result<Connection> {
        let session = Builder::address(self.address.as_str())?.build()?;
        let bus = Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Bus")?;
        let address: String = bus.call("GetAddress", &())?;
        Builder::address(address.as_str())?.build()
    }

    /// Starts a screen reader; programs hear that one listens.
    pub fn reader(&self) -> Reader {
        self.listen(true);
        Reader { bus: self.connect().unwrap() }
    }

    /// Tells programs whether a screen reader listens.
    pub fn listen(&self, is_enabled: bool) {
        let session = Builder::address(self.address.as_str()).unwrap().build().unwrap();
        let status = Proxy::new(&session, "org.a11y.Bus", "/org/a11y/bus", "org.a11y.Status").unwrap();
        status.set_property("IsEnabled", is_enabled).unwrap();
    }
}

/// A screen reader.
pub struct Reader {
    bus: Connection,
}

/// An object on the bus: who answers for it, and its path there.
pub type Place = (String, OwnedObjectPath);

/// Description of an object for a screen reader.
#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub name: String,
    /// Its number in `AtspiRole`.
    pub role: u32,
    pub description: String,
    pub interfaces: Vec<String>,
}

impl Node {
    /// Whether it can be pressed.
    pub fn can_be_pressed(&self) -> bool {
        self.interfaces.iter().any(|name| name == ACTION)
    }
}

/// A value: now, least, largest, step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    pub now: f64,
    pub min: f64,
    pub max: f64,
    pub step: f64,
}

impl Reader {
    fn proxy<'a>(&'a self, place: &'a Place, interface: &'static str) -> zbus::Result<Proxy<'a>> {
        Proxy::new(&self.bus, place.0.as_str(), place.1.as_str(), interface)
    }

    /// Everything that all windows show now, each object after the one that it is part of. What goes while it is read is left
    /// out.
    pub fn read(&self) -> Vec<Node> {
        let root = "/org/a11y/atspi/accessible/root";
        let desktop = ("org.a11y.atspi.Registry".into(), OwnedObjectPath::try_from(root).unwrap());
        let mut nodes = Vec::new();
        self.read_into(&desktop, &mut nodes);
        nodes
    }

    fn read_into(&self, parent: &Place, nodes: &mut Vec<Node>) {
        let children = self
            .proxy(parent, ACCESSIBLE)
            .and_then(|parent| parent.call::<_, _, Vec<Place>>("GetChildren", &()))
            .unwrap_or_default();
        for place in children {
            if let Ok(node) = self.node(place.clone()) {
                nodes.push(node);
                self.read_into(&place, nodes);
            }
        }
    }

    fn node(&self, place: Place) -> zbus::Result<Node> {
        let object = self.proxy(&place, ACCESSIBLE)?;
        let name = object.get_property("Name")?;
        let description = object.get_property("Description")?;
        let role = object.call("GetRole", &())?;
        let interfaces = object.call("GetInterfaces", &())?;
        drop(object);
        Ok(Node { place, name, role, description, interfaces })
    }

    /// Finds an object by its name. `meanwhile` is called while it is not there.
    ///
    /// # Panics
    /// It does not appear.
    pub fn find(&self, name: &str, mut meanwhile: impl FnMut()) -> Node {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut nodes = self.read();
            if let Some(at) = nodes.iter().position(|node| node.name == name) {
                return nodes.swap_remove(at);
            }
            assert!(Instant::now() < deadline, "no {name} among {nodes:#?}");
            meanwhile();
            std::thread::sleep(PAUSE);
        }
    }

    /// The value of an object.
    pub fn value(&self, node: &Node) -> Value {
        let value = self.proxy(&node.place, VALUE).unwrap();
        let get = |name: &str| value.get_property(name).unwrap();
        Value {
            now: get("CurrentValue"),
            min: get("MinimumValue"),
            max: get("MaximumValue"),
            step: get("MinimumIncrement"),
        }
    }

    /// Turns an object to a value.
    pub fn turn(&self, node: &Node, to: f64) {
        self.proxy(&node.place, VALUE).unwrap().set_property("CurrentValue", to).unwrap();
    }

    /// Presses an object.
    pub fn press(&self, node: &Node) {
        let is_done: bool = self.proxy(&node.place, ACTION).unwrap().call("DoAction", &(0,)).unwrap();
        assert!(is_done, "{node:?} cannot be pressed");
    }
}
