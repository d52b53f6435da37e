//! An X server without a screen, for tests of the plugin's window.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{
    AtomEnum, BUTTON_PRESS_EVENT, ButtonPressEvent, ConnectionExt as _, CreateWindowAux, EventMask,
    ImageFormat, PropMode, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// Width of the screen, in pixels.
pub const WIDTH: u16 = 1280;
/// Height of the screen, in pixels.
pub const HEIGHT: u16 = 900;

/// An X server of the test's own. It ends with its last client: the graphics driver may talk to it as the process ends.
pub struct Screen {
    _server: Child,
    /// The test's own connection.
    pub connection: RustConnection,
    /// The window behind all others.
    pub root: u32,
}

impl Screen {
    /// `None` where there is no Xvfb, unless `TACET_REQUIRE_DISPLAY` is set. Sets `DISPLAY`: one test of a program may do so,
    /// before it has other threads.
    pub fn open() -> Option<Self> {
        let screen = format!("{WIDTH}x{HEIGHT}x24");
        let started = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &screen, "-nolisten", "tcp", "-terminate"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut server = match started {
            Ok(server) => server,
            Err(error) if std::env::var_os("TACET_REQUIRE_DISPLAY").is_none() => {
                eprintln!("skipped: Xvfb does not start ({error}); Debian has it in the package xvfb");
                return None;
            }
            Err(error) => panic!("Xvfb does not start ({error}): install the package xvfb"),
        };
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let display = format!(":{}", number.trim());
        // SAFETY: this program has one test, and the harness's other thread only waits for it.
        unsafe {
            std::env::set_var("DISPLAY", &display);
            std::env::set_var("LIBGL_ALWAYS_SOFTWARE", "1");
        }
        let (connection, screen) = x11rb::connect(Some(&display)).unwrap();
        let root = connection.setup().roots[screen].root;
        Some(Self { _server: server, connection, root })
    }

    /// Says the screen's resolution, as desktops do; windows that are opened afterwards are scaled by it. 96 is usual.
    #[allow(dead_code, reason = "of several tests, one needs it")]
    pub fn set_dpi(&self, dpi: u32) {
        let resources = format!("Xft.dpi:\t{dpi}\n");
        let (property, text) = (AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING);
        self.connection
            .change_property8(PropMode::REPLACE, self.root, property, text, resources.as_bytes())
            .unwrap()
            .check()
            .unwrap();
    }

    /// Hides a window and what is in it.
    #[allow(dead_code, reason = "of several tests, one needs it")]
    pub fn hide(&self, window: u32) {
        self.connection.unmap_window(window).unwrap().check().unwrap();
    }

    /// Presses a mouse button in the window that is in `parent`.
    #[allow(dead_code, reason = "of several tests, one needs it")]
    pub fn click_within(&self, parent: u32) {
        let child = self.connection.query_tree(parent).unwrap().reply().unwrap().children[0];
        let press = ButtonPressEvent {
            response_type: BUTTON_PRESS_EVENT,
            detail: 1,
            sequence: 0,
            time: 0,
            root: self.root,
            event: child,
            child: 0,
            root_x: 20,
            root_y: 20,
            event_x: 20,
            event_y: 20,
            state: 0_u16.into(),
            same_screen: true,
        };
        self.connection.send_event(false, child, EventMask::NO_EVENT, press).unwrap().check().unwrap();
    }

    /// A window for the plugin's.
    pub fn parent(&self, width: u16, height: u16) -> u32 {
        let window = self.connection.generate_id().unwrap();
        let aux = CreateWindowAux::new();
        self.connection
            .create_window(0, window, self.root, 0, 0, width, height, 0, WindowClass::INPUT_OUTPUT, 0, &aux)
            .unwrap();
        self.connection.map_window(window).unwrap().check().unwrap();
        window
    }

    /// Destroys a window.
    pub fn close(&self, window: u32) {
        self.connection.destroy_window(window).unwrap().check().unwrap();
    }

    /// Pixels of the upper left part of the screen, four bytes each, row by row.
    pub fn picture(&self, width: u16, height: u16) -> Vec<[u8; 4]> {
        let image =
            self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, !0).unwrap();
        image.reply().unwrap().data.chunks_exact(4).map(|pixel| pixel.try_into().unwrap()).collect()
    }
}
