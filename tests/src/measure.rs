//! What a process costs, from /proc.

use std::path::Path;
use std::time::Duration;

/// The CPU time of all threads of a process so far.
pub fn cpu(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).expect("the process runs");
    let threads = tasks.flatten().map(|task| thread(&task.path()));
    threads.sum()
}

/// The same with its children, for programs that are several processes.
pub fn cpu_of_family(pid: u32) -> Duration {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children.split_whitespace().filter_map(|child| child.parse().ok());
    children.map(cpu_of_family).sum::<Duration>() + cpu(pid)
}

/// The part of a process's CPU time so far that the kernel spent for it, 0 to 1.
pub fn kernel_part(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let [user, kernel] = ticks(&text).map(|ticks| ticks as f64);
    kernel / (user + kernel).max(1.0)
}

/// The scheduler's own count in nanoseconds where the kernel has it (a tick of `stat` is 10 ms).
fn thread(task: &Path) -> Duration {
    let precise = std::fs::read_to_string(task.join("schedstat")).unwrap_or_default();
    if let Some(Ok(nanoseconds)) = precise.split(' ').next().map(str::parse) {
        return Duration::from_nanos(nanoseconds);
    }
    let text = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
    Duration::from_millis(ticks(&text).iter().sum::<u64>() * 10)
}

/// Ticks of 10 ms in the program and in the kernel, of a `stat`.
fn ticks(stat: &str) -> [u64; 2] {
    // The second field is a name that may hold anything but ends with the last parenthesis.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    [12, 13].map(|at| fields.get(at).and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// The memory of a process in kilobytes.
pub fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The middle one.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
