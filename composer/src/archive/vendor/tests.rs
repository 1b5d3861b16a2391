//! Vendor archives, whole and broken, as tar and as folder.

use super::*;
use crate::Kind;

struct Bench {
    folder: tempfile::TempDir,
    full: Store,
    packages: Vec<LockedPackage>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let full = Store::open(&folder.path().join("full")).unwrap();
        let package = |n: u8| {
            let bytes = vec![n; 3000 + usize::from(n)];
            LockedPackage {
                name: format!("p{n}"),
                version: "1".into(),
                architecture: "all".into(),
                layer: None,
                group: None,
                archive: "debian".into(),
                filename: format!("pool/p{n}.deb"),
                size: bytes.len() as u64,
                sha256: full.insert(&bytes).unwrap(),
            }
        };
        let packages = (0..5).map(package).collect();
        Bench { folder, full, packages }
    }

    fn contents(&self) -> Contents {
        let own = ("profiles/a.yaml".to_owned(), Entry::Bytes(b"profile: a\n".to_vec()));
        let long = (format!("units/{}", "x".repeat(150)), Entry::Bytes(Vec::new()));
        let debs = self.packages.iter().map(|p| (deb(&p.sha256), Entry::Object(p.sha256)));
        debs.chain([own, long]).collect()
    }

    fn pack(&self) -> Result<PathBuf> {
        let to = self.folder.path().join("out/a.vendor.tar");
        let task = Progress::silent().bytes("test", 0);
        pack(&self.contents(), 1_795_219_200, &self.full, &to, &task).map(|()| to)
    }

    /// What an empty store gets from an archive, and what was wrong with it.
    fn supplied(&self, place: &Path) -> (usize, Vec<String>) {
        let empty = tempfile::tempdir().unwrap();
        let store = Store::open(empty.path()).unwrap();
        let packages: Vec<&LockedPackage> = self.packages.iter().collect();
        let wrong = Vendor::open(place).unwrap().supply(&packages, &store, &Progress::silent()).unwrap();
        let got = self.packages.iter().filter(|p| store.contains(&p.sha256));
        (got.map(|p| assert!(store.verify(&p.sha256).unwrap())).count(), wrong)
    }

    fn unpacked(&self) -> PathBuf {
        let folder = self.folder.path().join("unpacked");
        tar::Archive::new(File::open(self.pack().unwrap()).unwrap()).unpack(&folder).unwrap();
        folder
    }
}

#[test]
fn the_same_contents_give_the_same_bytes() {
    let bench = Bench::new();
    let first = fs::read(bench.pack().unwrap()).unwrap();
    let path = bench.pack().unwrap();
    assert!(first == fs::read(&path).unwrap());
    let names: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["a.vendor.tar"]);
    let mut archive = tar::Archive::new(File::open(&path).unwrap());
    let mut paths = Vec::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 1_795_219_200));
        paths.push(entry.path().unwrap().into_owned());
    }
    assert!(paths.is_sorted() && paths.len() == 7, "{paths:?}");
}

#[test]
fn a_corrupted_object_does_not_go_in_and_nothing_is_left() {
    let bench = Bench::new();
    let object = bench.full.object(&bench.packages[2].sha256);
    fs::remove_file(&object).unwrap();
    fs::write(&object, [9; 3002]).unwrap();
    let error = bench.pack().unwrap_err();
    assert!(error.kind() == Kind::Host && error.to_string().contains("changed while it was read"), "{error}");
    assert_eq!(fs::read_dir(bench.folder.path().join("out")).unwrap().count(), 0);
    assert!(!object.exists());
}

#[test]
fn a_tar_and_its_folder_give_the_same() {
    let bench = Bench::new();
    assert_eq!(bench.supplied(&bench.pack().unwrap()), (5, vec![]));
    let folder = bench.unpacked();
    assert_eq!(bench.supplied(&folder), (5, vec![]));
    // Somebody packs the folder anew.
    let again = bench.folder.path().join("again.tar");
    let mut tar = tar::Builder::new(File::create(&again).unwrap());
    tar.append_dir_all(".", &folder).unwrap();
    tar.into_inner().unwrap();
    assert_eq!(bench.supplied(&again), (5, vec![]));
}

#[test]
fn what_lies_is_named_and_the_rest_is_taken() {
    let bench = Bench::new();
    let path = bench.pack().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let place = bytes.windows(3003).position(|w| w == [3; 3003]).unwrap();
    bytes[place + 1000] = 7;
    fs::write(&path, bytes).unwrap();
    let (got, wrong) = bench.supplied(&path);
    let reason = "has no whole p3 1: the bytes are not those that the lock names";
    assert!(got == 4 && wrong.len() == 1 && wrong[0].contains(reason), "{wrong:?}");
    let folder = bench.unpacked();
    fs::write(folder.join(deb(&bench.packages[0].sha256)), "short").unwrap();
    fs::remove_file(folder.join(deb(&bench.packages[1].sha256))).unwrap();
    let (got, wrong) = bench.supplied(&folder);
    assert!(got == 3 && wrong.iter().any(|w| w.contains("p0 1: 5 bytes, and the lock says 3000")), "{wrong:?}");
}

#[test]
fn a_cut_tar_gives_what_is_whole() {
    let bench = Bench::new();
    let path = bench.pack().unwrap();
    File::options().write(true).open(&path).unwrap().set_len(2 * (512 + 3072) + 900).unwrap();
    let (got, wrong) = bench.supplied(&path);
    assert!(got == 2 && wrong.len() == 1 && wrong[0].contains("to its end: it ends early"), "{wrong:?}");
}

#[test]
fn what_is_no_archive_is_refused_with_a_way_out() {
    let bench = Bench::new();
    let refused = |name: &str| {
        let error = Vendor::open(&bench.folder.path().join(name)).unwrap_err();
        assert!(error.help_text().is_some_and(|help| help.contains("`borg-compose vendor` wrote")), "{error:?}");
        error.to_string()
    };
    fs::write(bench.folder.path().join("noise"), vec![b'x'; 5000]).unwrap();
    fs::write(bench.folder.path().join("nothing"), "").unwrap();
    fs::create_dir(bench.folder.path().join("folder")).unwrap();
    assert!(refused("absent").contains("cannot open"));
    assert!(refused("noise").ends_with("it is no tar"));
    assert!(refused("nothing").ends_with("there are no packages in it"));
    assert!(refused("folder").ends_with("it has no folder `debs`"));
}
