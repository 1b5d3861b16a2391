use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::testing::{fault, root};

fn range_of(roots: &Roots, path: &str, offset: u64, length: u64) -> serde_json::Value {
    range(roots, path, offset, length).unwrap().parts().1
}

#[test]
fn head_and_tail_count_lines_as_the_reference_server_does() {
    let (_folder, roots) = root(|f| {
        std::fs::write(f.join("open"), "1\n2\n3").unwrap();
        std::fs::write(f.join("closed"), "1\r\n2\r\n3\r\n").unwrap();
        std::fs::write(f.join("empty"), "").unwrap();
    });
    let read = |path, part| text(&roots, path, part).unwrap();
    assert_eq!(read("open", Part::Whole), "1\n2\n3");
    assert_eq!(read("open", Part::Head(2)), "1\n2");
    assert_eq!(read("open", Part::Head(9)), "1\n2\n3");
    assert_eq!(read("open", Part::Tail(2)), "2\n3");
    assert_eq!(read("closed", Part::Head(1)), "1\r");
    assert_eq!(read("closed", Part::Tail(2)), "3\n");
    assert_eq!(read("closed", Part::Tail(9)), "1\n2\n3\n");
    assert_eq!((read("empty", Part::Head(1)), read("empty", Part::Tail(1))), (String::new(), String::new()));
}

#[test]
fn a_large_file_is_read_in_part_only() {
    let line = "x".repeat(1023) + "\n";
    let (_folder, roots) = root(|f| std::fs::write(f.join("a"), line.repeat(5 * 1024) + "end").unwrap());
    assert!(fault(text(&roots, "a", Part::Whole)).contains("head, tail"));
    assert_eq!(text(&roots, "a", Part::Tail(1)).unwrap(), "end");
    assert_eq!(text(&roots, "a", Part::Tail(2000)).unwrap().len(), 1999 * 1024 + 3);
    assert_eq!(text(&roots, "a", Part::Head(2000)).unwrap().len(), 2000 * 1024 - 1);
    assert!(fault(text(&roots, "a", Part::Head(5000))).contains("read_byte_range"));
    assert!(fault(text(&roots, "a", Part::Tail(5000))).contains("read_byte_range"));
}

#[test]
fn a_terabyte_of_nothing_costs_nothing() {
    let (_folder, roots) = root(|f| std::fs::File::create(f.join("sparse")).unwrap().set_len(1 << 40).unwrap());
    let start = std::time::Instant::now();
    for part in [Part::Whole, Part::Head(1), Part::Tail(1)] {
        assert!(fault(text(&roots, "sparse", part)).contains("read_byte_range"), "{part:?}");
    }
    assert!(fault(media(&roots, "sparse")).contains("more than"));
    let end = range_of(&roots, "sparse", (1 << 40) - 3, 10);
    assert_eq!((&end["length"], &end["content"]), (&3.into(), &"\0\0\0".into()));
    assert_eq!(range_of(&roots, "sparse", u64::MAX, 10)["length"], 0);
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn a_byte_range_is_text_or_base64() {
    let (_folder, roots) = root(|f| std::fs::write(f.join("a"), "aäb").unwrap());
    let whole = range_of(&roots, "a", 0, 100);
    assert_eq!((&whole["content"], &whole["encoding"], &whole["size"]), (&"aäb".into(), &"utf-8".into(), &4.into()));
    let half = range_of(&roots, "a", 2, 1);
    assert_eq!((&half["content"], &half["encoding"]), (&"pA==".into(), &"base64".into()));
    assert!(fault(range(&roots, "a", 0, 0)).contains("from 1 to"));
}

#[test]
fn pipes_and_devices_are_refused_at_once() {
    let (folder, roots) = root(|f| {
        rustix::fs::mkfifoat(rustix::fs::CWD, f.join("pipe"), rustix::fs::Mode::RUSR).unwrap();
        std::os::unix::net::UnixListener::bind(f.join("socket")).unwrap();
    });
    assert_eq!(fault(text(&roots, "pipe", Part::Whole)), "pipe: not a regular file but a pipe");
    assert_eq!(fault(text(&roots, "socket", Part::Head(1))), "socket: not a regular file but a socket");
    assert!(fault(crate::write::file(&roots, "pipe", "", crate::testing::soon())).contains("a pipe"));
    assert!(fault(crate::write::append(&roots, "pipe", "", crate::testing::soon())).contains("a pipe"));
    assert!(crate::list::info(&roots, "pipe").unwrap().contains("isFile: false"));
    let mode = rustix::fs::Mode::RUSR;
    let zero = rustix::fs::makedev(1, 5);
    let device = folder.path().join("zero");
    // Needs root.
    if rustix::fs::mknodat(rustix::fs::CWD, &device, rustix::fs::FileType::CharacterDevice, mode, zero).is_ok() {
        assert_eq!(fault(text(&roots, "zero", Part::Head(1))), "zero: not a regular file but a device");
    }
}

#[test]
fn a_name_that_is_not_text_can_be_read_as_it_is_listed() {
    let (_folder, roots) = root(|f| std::fs::write(f.join(std::ffi::OsStr::from_bytes(b"c\xff")), "odd").unwrap());
    assert_eq!(text(&roots, "c\\xff", Part::Whole).unwrap(), "odd");
}

#[test]
fn media_is_named_by_its_kind() {
    let (folder, roots) = root(|f| {
        for name in ["a.PNG", "b.mp3", "c d#.bin"] {
            std::fs::write(f.join(name), "hi").unwrap();
        }
    });
    let block = |path| media(&roots, path).unwrap().parts().0;
    assert_eq!(block("a.PNG"), json!({"type": "image", "data": "aGk=", "mimeType": "image/png"}));
    assert_eq!(block("b.mp3")["type"], "audio");
    let uri = format!("file://{}/c%20d%23.bin", folder.path().display());
    let resource = json!({"uri": uri, "mimeType": "application/octet-stream", "blob": "aGk="});
    assert_eq!(block("c d#.bin"), json!({"type": "resource", "resource": resource}));
}

#[test]
fn several_files_are_read_though_one_cannot_be() {
    let (_folder, roots) = root(|f| {
        std::fs::write(f.join("a"), "A").unwrap();
        std::fs::write(f.join("b"), "x".repeat(3 << 20)).unwrap();
    });
    let paths = ["a", "none", "a"].map(str::to_owned);
    let read = multiple(&roots, &paths).unwrap();
    assert_eq!(read, "a:\nA\n\n---\nnone: Error - none: No such file or directory (os error 2)\n---\na:\nA\n");
    let full = multiple(&roots, &["b".into(), "b".into(), "a".into()]).unwrap();
    assert!(full.ends_with("b: Error - no room left in this answer, read it by itself\n---\na:\nA\n"));
    assert!(fault(multiple(&roots, &[])).contains("at least one"));
}
