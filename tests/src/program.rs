//! Other programs: started, listened to, ended by their own number.

use crate::wait;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A running program. Dropping it ends it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
    status: Option<ExitStatus>,
}

impl Program {
    /// Starts a program; what it says goes to `log` too.
    ///
    /// # Panics
    /// Where it is not installed, with what to do about it.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Program {
        let spawned =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{name} does not start: {error}; cargo xtask test installs what is needed")
        });
        let output = Arc::new(Mutex::new(String::new()));
        let file = Arc::new(Mutex::new(File::create(log).unwrap()));
        listen(child.stdout.take().unwrap(), &output, &file);
        listen(child.stderr.take().unwrap(), &output, &file);
        Program { name: name.to_owned(), child, output, status: None }
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has said so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits until a line holds `text`, and gives the line.
    pub fn says(&mut self, text: &str) -> String {
        wait::until(&format!("{} says {text:?}", self.name), || {
            let found = self.output().lines().find(|line| line.contains(text)).map(str::to_owned);
            if found.is_none()
                && let Some(status) = self.ended()
            {
                // Its last words may still be on their way.
                std::thread::sleep(Duration::from_millis(200));
                panic!(
                    "{} ended ({status}) before it said {text:?}:\n{}",
                    self.name,
                    self.output()
                );
            }
            found
        })
    }

    /// Sends a signal by its name, `TERM`.
    pub fn signal(&self, signal: &str) {
        let script = format!("kill -{signal} {}", self.pid());
        let status = Command::new("sh").args(["-c", &script]).status().unwrap();
        assert!(status.success(), "{script} failed");
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let name = self.name.clone();
        wait::until_within(limit, &format!("{name} ends"), || self.ended())
    }

    /// Ends it: asks first.
    pub fn stop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal("TERM");
        if wait::within(Duration::from_secs(3), || self.ended()).is_none() {
            let _ = self.child.kill();
            self.status = self.child.wait().ok();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listen(
    stream: impl Read + Send + 'static,
    output: &Arc<Mutex<String>>,
    file: &Arc<Mutex<File>>,
) {
    let (output, file) = (Arc::clone(output), Arc::clone(file));
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|octets| octets > 0) {
            let _ = file.lock().unwrap().write_all(&line);
            output.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// Whether a program is installed.
pub fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
