//! The HTML page, in a browser: it sorts, opens functions, marks differences, fetches nothing, and stays usable with
//! large and with hostile content.

use std::path::PathBuf;

use bpf2native::compare::html::{Column, Line, Listing, Listings, Page, Row, Side};

use crate::native;
use crate::webdriver::Browser;

/// What would run if it became markup anywhere.
const HOSTILE: &str = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"'&<!--";

fn line(text: &str, bpf: i64, source: i64) -> Line {
    (text.to_owned(), bpf, source)
}

fn side(name: &str) -> Side {
    Side { name: name.to_owned(), about: "bpf2native 0.1.0".to_owned() }
}

/// A page with base and new, of these rows.
fn page(rows: Vec<Row>) -> Page {
    let columns = ["bytes", "insns"].map(|name| Column { name: name.to_owned(), about: format!("{name} of code") });
    Page {
        title: "Base beside new".to_owned(),
        sides: vec![side("old.o"), side("new.o")],
        measures: columns.to_vec(),
        columns: vec!["bytes".to_owned(), "insns".to_owned()],
        narrow: vec!["bytes".to_owned()],
        rows,
        ..Page::default()
    }
}

fn row(id: usize, function: &str, base: [u64; 2], new: [u64; 2]) -> Row {
    let numbers = |of: [u64; 2]| Some(of.map(Some).to_vec());
    Row {
        id,
        file: "prog.o".to_owned(),
        function: function.to_owned(),
        state: if base == new { "same" } else { "changed" },
        a: numbers(base),
        b: numbers(new),
        ..Row::default()
    }
}

/// A function of which one instruction became two.
fn listings() -> Listings {
    let sources = vec![
        ("prog.c".to_owned(), 3, "int sum = a + b;".to_owned()),
        ("prog.c".to_owned(), 4, "return sum;".to_owned()),
    ];
    let listing = |add: &[Line]| Listing {
        bpf: vec![line("r1 += r2", 0, 0), line("r0 = r1", 1, 1), line("exit", 2, 1)],
        clif: vec![line("block0:", -1, -1), line("    v3 = iadd v1, v2", 0, 0), line("    return v3", 2, 1)],
        asm: [&[line("sum:", -1, -1)], add, &[line("    retq", 2, 1)]].concat(),
        sources: sources.clone(),
    };
    Listings {
        same: false,
        a: Some(listing(&[line("    leaq (%rdi, %rsi), %rax", 0, 0)])),
        b: Some(listing(&[line("    movq %rdi, %rax", 0, 0), line("    addq %rsi, %rax", 0, 0)])),
        runs: [
            ("asm", vec![('=', 1), ('-', 1), ('+', 2), ('=', 1)]),
            ("clif", vec![('=', 3)]),
            ("bpf", vec![('=', 3)]),
        ]
        .into(),
    }
}

fn example() -> Page {
    let mut page = page(vec![
        row(0, "sum", [100, 20], [110, 21]),
        row(1, "shrunk", [300, 60], [250, 50]),
        row(2, "grown", [200, 40], [400, 90]),
        row(3, "equal", [50, 9], [50, 9]),
    ]);
    page.rows.push(Row {
        id: 4,
        file: "prog.o".to_owned(),
        function: "lost".to_owned(),
        state: "broken",
        a: Some(vec![Some(10), Some(2)]),
        new_error: Some("instruction 3 has no meaning".to_owned()),
        ..Row::default()
    });
    let error = Some("it calls nothing".to_owned());
    let stuck =
        Row { id: 5, function: "stuck".to_owned(), state: "failed", base_error: error.clone(), ..Row::default() };
    page.rows.push(Row { new_error: error, ..stuck });
    page.listings.insert(0, listings());
    page
}

/// A page in a browser, if there is one.
struct Opened {
    browser: Browser,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn open(page: &Page) -> Option<Opened> {
    open_text(&page.to_html())
}

fn open_text(page: &str) -> Option<Opened> {
    if !native::has_tool("chromedriver") || !native::has_tool("chromium") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, page).unwrap();
    let browser = Browser::start(1300, 900);
    browser.open(&path, "");
    Some(Opened { browser, path, _folder: folder })
}

impl Opened {
    /// Only the page itself was asked for, and nothing went wrong in it.
    #[track_caller]
    fn assert_quiet(&self) {
        let own = format!("file://{}", self.path.display());
        let others: Vec<String> =
            self.browser.requests().into_iter().filter(|address| !address.starts_with(&own)).collect();
        assert_eq!(others, [""; 0], "the page fetched something");
        assert_eq!(self.browser.complaints(), [""; 0], "the browser complains");
    }
}

const NAMES: &str = "#list tbody th a";

#[test]
fn the_table_sorts_and_filters() {
    let Some(opened) = open(&example()) else { return };
    let browser = &opened.browser;
    // Changed functions, the largest growth first.
    assert_eq!(browser.texts(NAMES), ["grown", "sum", "shrunk", "lost"]);
    assert_eq!(browser.texts("#list tbody tr:first-child td:nth-child(3)"), ["400+200 (+100%)"]);
    browser.click("th[data-sort=bytes] button");
    assert_eq!(browser.texts(NAMES), ["shrunk", "sum", "grown", "lost"]);
    assert_eq!(browser.all("th[data-sort=bytes][aria-sort=ascending]").len(), 1);
    browser.click("th[data-sort=insns] button");
    assert_eq!(browser.texts(NAMES), ["grown", "sum", "shrunk", "lost"]);
    browser.click("[data-value=b]");
    assert_eq!(browser.texts(NAMES), ["grown", "shrunk", "sum", "lost"]);
    browser.click("th[data-sort=name] button");
    assert_eq!(browser.texts(NAMES), ["grown", "lost", "shrunk", "sum"]);
    browser.click("[data-value=failed]");
    assert_eq!(browser.texts(NAMES), ["lost", "stuck"]);
    browser.click("[data-value=all]");
    browser.write("input[type=search]", "eq");
    assert_eq!(browser.texts(NAMES), ["equal"]);
    // What is seen is in the address.
    opened.browser.open(&opened.path, "#sort=bytes&dir=asc&show=all");
    opened.browser.run("location.reload()");
    browser.wait_for("document.querySelectorAll('#list tbody tr').length === 6");
    assert_eq!(browser.texts(NAMES), ["shrunk", "equal", "sum", "grown", "stuck", "lost"]);
    opened.assert_quiet();
}

#[test]
fn a_row_opens_and_the_difference_is_marked() {
    let Some(opened) = open(&example()) else { return };
    let browser = &opened.browser;
    browser.click("tr[data-id='0'] td:nth-child(3)");
    browser.wait_for("document.querySelector('#function h2')");
    assert_eq!(browser.texts("#function h2"), ["sum"]);
    assert!(browser.all("#list:not([hidden])").is_empty());
    let code = |selector: &str| -> Vec<String> {
        let lines = browser.texts(selector);
        lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(code(".lines:first-child .l.del"), ["2- leaq (%rdi, %rsi), %rax 3: int sum = a + b;"]);
    let inserted = ["2+ movq %rdi, %rax 3: int sum = a + b;", "3+ addq %rsi, %rax"];
    assert_eq!(code(".lines:last-child .l.ins"), inserted);
    // Lines stay beside each other.
    assert_eq!(browser.all(".lines:first-child .l").len(), 4);
    assert_eq!(browser.all(".lines:first-child .l.blank").len(), 1);
    // The three listings and the source, side by side.
    browser.click("[data-value=code]");
    let panes = ["Source", "BPF", "CLIF", "Assembly"];
    assert_eq!(browser.all(".pane").len(), panes.len());
    for pane in panes {
        assert_eq!(browser.all(&format!(".pane[aria-label={pane}]")).len(), 1, "{pane}");
    }
    assert_eq!(code(".pane[aria-label=Assembly] .l.ins"), ["2 movq %rdi, %rax", "3 addq %rsi, %rax"]);
    // Lines that belong together are marked.
    let bpf = browser.all(".pane[aria-label=BPF] .l");
    browser.point(&bpf[0]);
    assert_eq!(
        code(".l.hot"),
        ["3int sum = a + b;", "0r1 += r2", "2 v3 = iadd v1, v2", "2 movq %rdi, %rax", "3 addq %rsi, %rax"]
    );
    browser.point(&bpf[1]);
    assert_eq!(code(".l.hot"), ["4return sum;", "1r0 = r1"]);
    assert_eq!(code(".l.warm"), ["2exit", "3 return v3", "4 retq"]);
    browser.click("#function [data-value=a]");
    assert_eq!(code(".pane[aria-label=Assembly] .l.del"), ["2 leaq (%rdi, %rsi), %rax"]);
    browser.click(".crumbs .back");
    browser.wait_for("!document.getElementById('list').hidden");
    browser.back();
    browser.wait_for("document.querySelector('#function h2')");
    // A function that failed says why.
    browser.open(&opened.path, "#fn=4");
    browser.wait_for("document.querySelector('.failure')");
    assert_eq!(browser.texts(".failure"), ["new: instruction 3 has no meaning"]);
    opened.assert_quiet();
}

#[test]
fn hostile_names_and_sources_are_text() {
    let mut page = example();
    page.title = HOSTILE.to_owned();
    page.left_out = HOSTILE.to_owned();
    page.sides[0].name = HOSTILE.to_owned();
    page.rows[0].function = HOSTILE.to_owned();
    page.rows[0].file = HOSTILE.to_owned();
    page.rows[0].was = Some(HOSTILE.to_owned());
    page.rows[4].new_error = Some(HOSTILE.to_owned());
    let listings = page.listings.get_mut(&0).unwrap();
    for side in [&mut listings.a, &mut listings.b].into_iter().flatten() {
        for source in &mut side.sources {
            source.0 = HOSTILE.to_owned();
            source.2 = HOSTILE.to_owned();
        }
        side.asm[1].0 = HOSTILE.to_owned();
        side.clif[0].0 = HOSTILE.to_owned();
    }
    let Some(opened) = open(&page) else { return };
    let browser = &opened.browser;
    assert_eq!(browser.texts("h1"), [HOSTILE]);
    assert_eq!(browser.texts("tr[data-id='0'] th a"), [HOSTILE]);
    for fragment in ["#fn=0", "#fn=0&view=code", "#fn=0&kinds=clif", "#fn=1", "#fn=4"] {
        browser.open(&opened.path, fragment);
        browser.wait_for("!document.getElementById('function').hidden");
        assert_eq!(browser.run("return window.hacked ?? null"), serde_json::Value::Null);
    }
    assert_eq!(browser.texts(".failure"), [format!("new: {HOSTILE}")]);
    assert!(browser.all("img, script:not([type]):not(:last-child)").is_empty());
    opened.assert_quiet();
    // And if there were markup, the policy would not let it do anything.
    browser.run(
        "const script = document.createElement('script'); script.textContent = 'window.hacked = 1';
         const image = document.createElement('img'); image.src = 'http://127.0.0.1:9/x.png';
         document.body.append(script, image)",
    );
    browser.wait_for("document.images[0].complete");
    assert_eq!(browser.run("return window.hacked ?? null"), serde_json::Value::Null);
    let refused = browser.complaints();
    assert!(refused.iter().filter(|text| text.contains("Content Security Policy")).count() >= 2, "{refused:?}");
}

#[test]
fn large_pages_stay_small_in_memory() {
    let mut rows: Vec<Row> =
        (0..20_000).map(|id| row(id, &format!("function_{id}"), [100, 20], [id as u64, 20])).collect();
    rows[7].function = "the_large_one".to_owned();
    let mut page = page(rows);
    let lines = |other: i64| (0..60_000).map(|n| line(&format!("    addq ${}, %rax", n * other), n, -1)).collect();
    let listing = |other| Some(Listing { asm: lines(other), ..Listing::default() });
    let runs = [("asm", vec![('=', 1), ('-', 59_999), ('+', 59_999)])].into();
    page.listings.insert(7, Listings { same: false, a: listing(1), b: listing(2), runs });
    let Some(opened) = open(&page) else { return };
    let browser = &opened.browser;
    let count = |selector: &str| browser.all(selector).len();
    let first = count("tbody tr");
    assert!((100..=300).contains(&first), "{first}");
    browser.run("const table = document.querySelector('.table'); table.scrollTop = table.scrollHeight");
    browser.wait_for(&format!("document.querySelectorAll('tbody tr').length > {first}"));
    browser.open(&opened.path, "#fn=7");
    browser.wait_for("document.querySelector('#function h2')");
    assert!((20..300).contains(&count(".l")), "{}", count(".l"));
    browser.run("document.querySelector('.lines').scrollTop = 20 * 59990");
    browser.wait_for("document.querySelector('.lines:last-child .l[data-index=\"59999\"]')");
    assert!((20..300).contains(&count(".l")), "{}", count(".l"));
    opened.assert_quiet();
}

/// Nothing runs out of a narrow window, and dark is dark. With `BPF2NATIVE_SCREENSHOTS`, pictures go to that folder.
#[test]
fn the_page_fits_narrow_and_wide_light_and_dark() {
    let Some(opened) = open(&example()) else { return };
    let browser = &opened.browser;
    let mut backgrounds = Vec::new();
    for (width, scheme) in [(1500, "light"), (1500, "dark"), (390, "light"), (390, "dark")] {
        browser.media(width, 900, scheme);
        for (name, fragment) in [("table", "#show=all"), ("differences", "#fn=0"), ("code", "#fn=0&view=code")] {
            browser.open(&opened.path, fragment);
            browser.run("location.reload()");
            browser
                .wait_for("document.readyState === 'complete' && document.querySelector('main:not([hidden]) *')");
            let fits = browser.run("return document.documentElement.scrollWidth <= innerWidth");
            assert_eq!(fits, true, "{name} at {width}");
            let elements = browser.run(
                "return [...document.querySelectorAll('button, h1, h2, .tile, input')]
                     .filter((e) => e.getBoundingClientRect().right > innerWidth && !e.closest('.table, .panes'))
                     .map((e) => e.textContent)",
            );
            assert_eq!(elements, serde_json::json!([]), "{name} at {width}");
            if let Some(folder) = std::env::var_os("BPF2NATIVE_SCREENSHOTS") {
                let file = PathBuf::from(folder).join(format!("{name}-{width}-{scheme}.png.base64"));
                std::fs::write(file, browser.screenshot()).unwrap();
            }
        }
        backgrounds.push(browser.run("return getComputedStyle(document.body).backgroundColor"));
    }
    assert_eq!(backgrounds[0], backgrounds[2]);
    assert_eq!(backgrounds[1], backgrounds[3]);
    assert_ne!(backgrounds[0], backgrounds[1]);
    opened.assert_quiet();
}

/// A page that the command made.
fn made(arguments: &[&str]) -> String {
    let mut command = native::bpf2native();
    native::output(command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CI").args(arguments))
}

/// The same, where the exit status says that there are differences.
fn made_of_differences(arguments: &[&str]) -> String {
    let mut command = native::bpf2native();
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("CI").args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_of_two_objects_shows_what_changed() {
    let arguments = ["diff", "fixtures/compare/old", "fixtures/compare/new", "--format", "html"];
    let page = made_of_differences(&arguments);
    assert_eq!(page, made_of_differences(&[&arguments[..], &["-j", "1"]].concat()), "it depends on the threads");
    let Some(opened) = open_text(&page) else { return };
    let browser = &opened.browser;
    assert_eq!(browser.texts(NAMES)[0], "price");
    assert_eq!(browser.texts("tr .badge.broken").len(), 2, "beside the name for narrow screens, and in its column");
    browser.click("#list tbody tr:first-child th a");
    browser.wait_for("document.querySelector('#function h2')");
    assert_eq!(browser.texts("#function h2"), ["price"]);
    assert!(browser.all(".l.ins").len() > 5);
    assert!(browser.texts(".l .src").iter().any(|text| text.contains("if (")), "no source lines");
    browser.click("#function [data-value=code]");
    let lines = browser.texts(".pane[aria-label=Source] .l");
    assert!(lines.len() > 5 && lines[0].contains("shop.c"), "{lines:?}");
    opened.assert_quiet();
}

#[test]
fn the_page_of_a_report_shows_every_function() {
    let page = made(&["report", "fixtures/compare/new", "--format", "html", "--target", "aarch64"]);
    let Some(opened) = open_text(&page) else { return };
    let browser = &opened.browser;
    let names = browser.texts(NAMES);
    assert!(names.contains(&"price".to_owned()) && names.contains(&"label".to_owned()), "{names:?}");
    assert_eq!(names[0], "main", "the largest comes first");
    assert_eq!(browser.texts("td .badge.failed").len(), 1);
    browser.click("#list tbody tr:first-child th a");
    browser.wait_for("document.querySelector('#function h2')");
    assert!(browser.texts(".pane[aria-label=Assembly] .l").iter().any(|line| line.contains("stp x29, x30")));
    opened.assert_quiet();
}
