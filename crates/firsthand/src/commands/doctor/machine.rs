//! What the hardware is: processor features, memory and its limits, GPUs. Reads `/proc`, `/sys` and the vendors'
//! tools; loads no driver.

use std::path::Path;
use std::process::{Command, Stdio};

/// Features that our kernels choose by, as the processor names them.
pub(super) fn processor_features() -> Vec<&'static str> {
    let mut found = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($name:tt),*) => { $( if std::arch::is_x86_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("sse4.2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw", "avx512vnni", "avx512bf16");
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! detect {
            ($($name:tt),*) => { $( if std::arch::is_aarch64_feature_detected!($name) { found.push($name); } )* };
        }
        detect!("neon", "fp16", "dotprod", "bf16", "i8mm", "sve");
    }
    found
}

/// Memory in bytes.
pub(super) struct Memory {
    /// What this process may use: free memory, or what the limit leaves.
    pub(super) available: u64,
    /// Installed.
    pub(super) total: u64,
    /// Limit of the control group, where one is set below `total`.
    pub(super) limit: Option<u64>,
}

/// Memory of the machine and of the control group this process is in.
pub(super) fn memory() -> Option<Memory> {
    let info = fs_err::read_to_string("/proc/meminfo").ok().or_else(meminfo_of_macos)?;
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    };
    let total = field("MemTotal:")?;
    let mut available = field("MemAvailable:").unwrap_or(total);
    let mut limit = None;
    if let Some((most, used)) = control_group()
        && most < total
    {
        limit = Some(most);
        available = available.min(most.saturating_sub(used));
    }
    Some(Memory { available, total, limit })
}

/// The smallest limit on the way from this process's control group to the root, and what is used under it.
fn control_group() -> Option<(u64, u64)> {
    let membership = fs_err::read_to_string("/proc/self/cgroup").ok()?;
    let number = |path: &Path| fs_err::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let mut limits = Vec::new();
    for line in membership.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (root, most, used) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            one if one.split(',').any(|name| name == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(root).join(group.trim_start_matches('/'));
        for directory in group.ancestors().take_while(|directory| directory.starts_with(root)) {
            if let (Some(most), Some(used)) = (number(&directory.join(most)), number(&directory.join(used))) {
                limits.push((most, used));
            }
        }
    }
    limits.into_iter().min_by_key(|&(most, used)| most.saturating_sub(used))
}

fn meminfo_of_macos() -> Option<String> {
    let bytes: u64 = output("sysctl", &["-n", "hw.memsize"])?.trim().parse().ok()?;
    Some(format!("MemTotal: {} kB\n", bytes / 1024))
}

/// GPUs with their memory, as the driver's own tool lists them.
pub(super) fn gpus() -> Vec<String> {
    let query = ["--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"];
    let listing = output("nvidia-smi", &query).unwrap_or_default();
    listing.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output =
        Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
