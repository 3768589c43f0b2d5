//! A browser that tests drive: headless Chromium, by chromedriver and the WebDriver protocol (W3C) over HTTP.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// The key of an element's id in answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Only against a browser that hangs: an answer takes less than a second, on a loaded machine a few.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// A browser with one window. It ends when this is dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: tempfile::TempDir,
}

/// An element of the page.
#[derive(Clone, PartialEq, Eq)]
pub struct Element(String);

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Browser {
    /// Starts one with a window of this size.
    pub fn start(width: u32, height: u32) -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(driver.stdout.take().unwrap());
        let port = out.lines().find_map(|line| {
            let line = line.unwrap();
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            Some(port.trim_end_matches('.').parse().unwrap())
        });
        let port = port.expect("chromedriver says its port");
        let mut browser = Browser { driver, port, session: String::new(), _profile: profile };
        let profile = browser._profile.path().display().to_string();
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={profile}"),
            &format!("--window-size={width},{height}"),
        ];
        let capabilities = json!({
            "capabilities": { "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": { "args": arguments },
                "goog:loggingPrefs": { "performance": "ALL", "browser": "ALL" },
            }}
        });
        let answer = browser.request("POST", "/session", Some(&capabilities));
        browser.session = answer["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// One request to the driver; the answer's value.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(TIME_LIMIT)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let answer = body_of(BufReader::new(stream));
        let answer = answer.as_str();
        let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
        let value = answer["value"].clone();
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }

    fn command(&self, path: &str, body: Value) -> Value {
        self.request("POST", &format!("/session/{}/{path}", self.session), Some(&body))
    }

    /// Opens a file, at a fragment.
    pub fn open(&self, path: &Path, fragment: &str) {
        self.command("url", json!({ "url": format!("file://{}{fragment}", path.display()) }));
    }

    /// All elements that a CSS selector finds.
    pub fn all(&self, selector: &str) -> Vec<Element> {
        let found = self.command("elements", json!({ "using": "css selector", "value": selector }));
        let id = |element: &Value| Element(element[ELEMENT].as_str().unwrap().to_owned());
        found.as_array().unwrap().iter().map(id).collect()
    }

    /// The first of them; there must be one.
    #[track_caller]
    pub fn one(&self, selector: &str) -> Element {
        let found = self.all(selector).into_iter().next();
        found.unwrap_or_else(|| panic!("there is no `{selector}`:\n{}", self.text(&self.all("body")[0])))
    }

    /// The texts of all elements that a selector finds, as they are in the document.
    pub fn texts(&self, selector: &str) -> Vec<String> {
        let texts = self.run(&format!(
            "return [...document.querySelectorAll({})].map((element) => element.textContent)",
            Value::from(selector)
        ));
        serde_json::from_value(texts).unwrap()
    }

    /// Clicks the middle of the first element that a selector finds.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let Element(id) = self.one(selector);
        self.command(&format!("element/{id}/click"), json!({}));
    }

    /// Types into an element.
    pub fn write(&self, selector: &str, text: &str) {
        let Element(id) = self.one(selector);
        self.command(&format!("element/{id}/value"), json!({ "text": text }));
    }

    /// Moves the pointer to the middle of an element.
    pub fn point(&self, element: &Element) {
        let moved =
            json!({ "type": "pointerMove", "duration": 0, "x": 0, "y": 0, "origin": { ELEMENT: element.0 } });
        let pointer = json!({ "type": "pointer", "id": "mouse", "actions": [moved] });
        self.command("actions", json!({ "actions": [pointer] }));
    }

    /// An element's text, as it is seen.
    pub fn text(&self, Element(id): &Element) -> String {
        let text = self.request("GET", &format!("/session/{}/element/{id}/text", self.session), None);
        text.as_str().unwrap().to_owned()
    }

    /// Runs a script in the page; what it returns.
    pub fn run(&self, script: &str) -> Value {
        self.command("execute/sync", json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns true.
    #[track_caller]
    pub fn wait_for(&self, condition: &str) {
        let start = Instant::now();
        while self.run(&format!("return Boolean({condition})")) != Value::Bool(true) {
            assert!(start.elapsed() < TIME_LIMIT, "never true: {condition}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Goes back, as the browser's button does.
    pub fn back(&self) {
        self.command("back", json!({}));
    }

    /// Sets the size of what is seen, and the colours that the reader prefers.
    pub fn media(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        for (name, parameters) in
            [("Emulation.setDeviceMetricsOverride", size), ("Emulation.setEmulatedMedia", features)]
        {
            self.command("goog/cdp/execute", json!({ "cmd": name, "params": parameters }));
        }
    }

    /// A picture of what is seen, as PNG in base64.
    pub fn screenshot(&self) -> String {
        let picture = self.request("GET", &format!("/session/{}/screenshot", self.session), None);
        picture.as_str().unwrap().to_owned()
    }

    /// What pages from files asked for since the last call: addresses.
    pub fn requests(&self) -> Vec<String> {
        let entries = self.command("se/log", json!({ "type": "performance" }));
        let mut addresses = Vec::new();
        for entry in entries.as_array().unwrap() {
            let event: Value = serde_json::from_str(entry["message"].as_str().unwrap()).unwrap();
            let event = &event["message"];
            // The browser's own first page is none of ours.
            let is_ours = event["params"]["documentURL"].as_str().is_some_and(|of| of.starts_with("file:"));
            if event["method"] == "Network.requestWillBeSent" && is_ours {
                addresses.push(event["params"]["request"]["url"].as_str().unwrap().to_owned());
            }
        }
        addresses
    }

    /// What the browser complained of since the last call: errors of scripts, what the policy refused.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.command("se/log", json!({ "type": "browser" }));
        entries.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

/// The body of an HTTP answer: as many bytes as its head says.
fn body_of(mut stream: BufReader<TcpStream>) -> String {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        match line.trim().split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().unwrap()
            }
            Some(_) => {}
            None if line.trim().is_empty() => break,
            None => assert!(line.starts_with("HTTP/1.1"), "{line}"),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.request("DELETE", &format!("/session/{}", self.session), None);
        }
        // It is gone already if this fails.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
