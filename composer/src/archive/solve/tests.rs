//! Small archives written down as text.

use super::*;
use crate::Digest;
use crate::archive::index;

/// An index from lines `name version; Field: value; …`.
pub fn index_of(lines: &[&str]) -> String {
    let entry = |line: &&str| {
        let mut fields = line.split(';').map(str::trim);
        let (name, version) = fields.next().and_then(|f| f.split_once(' ')).unwrap();
        let more: Vec<&str> = fields.collect();
        let file = format!("pool/{name}_{version}.deb");
        let sha = Digest::of(line);
        let head = format!("Package: {name}\nVersion: {version}\nArchitecture: all\nFilename: {file}\nSHA256: {sha}\n");
        head + &more.join("\n") + "\n\n"
    };
    lines.iter().map(entry).collect::<String>().replace("\n\n\n", "\n\n")
}

fn universe_of(texts: &[String], own: Option<usize>) -> Universe<'_> {
    let mut packages = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        index::parse(text, number, &mut packages);
    }
    Universe::new(packages, own)
}

fn wishes(names: &[&str]) -> Vec<Wanted> {
    let by = |i: usize| Origin::Profile(format!("/packages/{i}"));
    names.iter().enumerate().map(|(i, name)| Wanted { name: (*name).into(), by: by(i) }).collect()
}

fn solved(lines: &[&str], names: &[&str]) -> Result<Vec<String>, Unsolvable> {
    let texts = [index_of(lines)];
    let universe = universe_of(&texts, None);
    let ids = solve(&universe, &wishes(names), &HashMap::new())?;
    Ok(ids.into_iter().filter_map(|id| universe.package(id)).map(|p| format!("{} {}", p.name, p.version)).collect())
}

#[test]
fn the_first_alternative_is_preferred() {
    let all = ["a 1; Depends: b | c", "b 1", "c 1"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "b 1"]);
    let all = ["a 1; Depends: b | c", "c 1"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "c 1"]);
    let all = ["a 1; Depends: b | c", "b 1; Conflicts: d", "c 1", "d 1"];
    assert_eq!(solved(&all, &["a", "d"]).unwrap(), ["a 1", "c 1", "d 1"]);
}

#[test]
fn a_real_package_goes_before_its_providers() {
    let all = ["a 1; Depends: awk", "mawk 1; Provides: awk; Priority: required", "awk 1"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "awk 1"]);
    let all = ["a 1; Depends: awk", "gawk 1; Provides: awk", "mawk 1; Provides: awk; Priority: required"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "mawk 1"]);
}

#[test]
fn versioned_relations_want_versioned_provides() {
    let all = ["a 1; Depends: lib (>= 2)", "x 1; Provides: lib", "y 1; Provides: lib (= 3)"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "y 1"]);
    let all = ["a 1; Depends: lib (>= 4)", "x 1; Provides: lib", "y 1; Provides: lib (= 3)"];
    assert_eq!(solved(&all, &["a"]).unwrap_err().origin, Origin::Profile("/packages/0".into()));
}

#[test]
fn an_older_version_is_taken_where_the_newest_does_not_fit() {
    let all = ["a 1; Depends: b (<< 2)", "b 2", "b 1"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1", "b 1"]);
    let all = ["a 2; Breaks: b (<< 2)", "a 1", "b 1"];
    assert_eq!(solved(&all, &["b", "a"]).unwrap(), ["a 1", "b 1"]);
}

#[test]
fn a_package_does_not_conflict_with_itself() {
    let all = ["a 1; Provides: mta; Conflicts: mta", "b 1; Provides: mta; Conflicts: mta"];
    assert_eq!(solved(&all, &["a"]).unwrap(), ["a 1"]);
    let error = solved(&all, &["a", "b"]).unwrap_err();
    assert_eq!(error.origin, Origin::Profile("/packages/1".into()));
    insta::assert_snapshot!(format!("{error}\n{}", error.reasons));
}

#[test]
fn versioned_conflicts_meet_versioned_provides() {
    let all =
        ["a 1; Conflicts: lib (<< 2)", "x 1; Provides: lib (= 1)", "y 1; Provides: lib (= 2)", "z 1; Provides: lib"];
    assert!(solved(&all, &["a", "x"]).is_err());
    assert_eq!(solved(&all, &["a", "y", "z"]).unwrap().len(), 3);
}

#[test]
fn unknown_and_virtual_names_are_refused_with_a_way_out() {
    let all = ["nginx-light 1", "a 1; Provides: mta", "b 1; Provides: mta", "c 1; Provides: only"];
    let error = solved(&all, &["a", "nginx-lihgt"]).unwrap_err();
    assert_eq!(error.help.as_deref(), Some("did you mean `nginx-light`?"));
    assert_eq!(error.origin, Origin::Profile("/packages/1".into()));
    assert_eq!(solved(&all, &["mta"]).unwrap_err().help.as_deref(), Some("choose one: a, b"));
    assert_eq!(solved(&all, &["only"]).unwrap(), ["c 1"]);
}

#[test]
fn an_unsatisfiable_dependency_says_which() {
    let all = ["good 1", "a 1; Depends: b (>= 2)", "b 1; Depends: gone"];
    let error = solved(&all, &["good", "a"]).unwrap_err();
    assert_eq!(error.origin, Origin::Profile("/packages/1".into()));
    insta::assert_snapshot!(format!("{error}\n{}", error.reasons));
}

#[test]
fn newest_across_archives_but_our_own_always() {
    let texts = [index_of(&["a 1", "own 9"]), index_of(&["a 2", "own 1"])];
    let universe = universe_of(&texts, None);
    assert_eq!(universe.package(universe.candidates("a")[0]).unwrap().version, "2");
    let universe = universe_of(&texts, Some(1));
    assert_eq!(universe.candidates("own").len(), 1);
    assert_eq!(universe.package(universe.candidates("own")[0]).unwrap().version, "1");
}

#[test]
fn favored_candidates_stay_unless_they_cannot() {
    let texts = [index_of(&["a 2", "a 1", "b 1; Depends: a (>= 2)"])];
    let universe = universe_of(&texts, None);
    let old = universe.candidates("a")[1];
    let favored = HashMap::from([("a", old)]);
    assert_eq!(solve(&universe, &wishes(&["a"]), &favored).unwrap(), [old]);
    assert!(!solve(&universe, &wishes(&["a", "b"]), &favored).unwrap().contains(&old));
}

#[test]
fn closures_follow_what_was_chosen() {
    let texts = [index_of(&["a 1; Depends: x | y", "x 1; Conflicts: b", "y 1; Depends: z", "z 1", "b 1"])];
    let universe = universe_of(&texts, None);
    let ids = solve(&universe, &wishes(&["a", "b"]), &HashMap::new()).unwrap();
    let closure = Chosen::new(&universe, &ids).closure(["a"]);
    let mut names: Vec<&str> = closure.iter().map(|id| universe.name(*id)).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "y", "z"]);
}
