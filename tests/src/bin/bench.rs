//! `bench [ROUNDS] [PEER…]`: prints the table of `docs/benchmarks.md`; `none` for no peers, by default all of them.

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.first().and_then(|word| word.parse().ok());
    if rounds.is_some() {
        words.remove(0);
    }
    if words.is_empty() {
        words.push(String::new());
    }
    borg_tests::bench::run(rounds.unwrap_or(3), &words);
}
