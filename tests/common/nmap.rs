//! What nmap says in the form for programs (`-oG -`).

/// How many ports, or protocols, it found in each state, as in "closed 196, open 4".
pub(crate) fn states(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("Ports: ") || line.contains("Protocols: "));
    let line = line.unwrap_or_else(|| panic!("no ports: {text}"));
    let mut counts = std::collections::BTreeMap::new();
    for field in line.split('\t') {
        let (name, list) = field.split_once(": ").unwrap_or((field, ""));
        match name {
            "Ports" | "Protocols" => {
                let states = list.split(", ").filter_map(|port| port.split('/').nth(1));
                states.for_each(|state| *counts.entry(state).or_insert(0) += 1);
            }
            // As in "closed (196)".
            "Ignored State" => {
                let (state, count) = list.trim_end_matches(')').split_once(" (").expect("a number");
                *counts.entry(state).or_insert(0) += count.parse::<usize>().expect("a number");
            }
            _ => {}
        }
    }
    let counts = counts.into_iter().map(|(state, count)| format!("{state} {count}"));
    counts.collect::<Vec<_>>().join(", ")
}
