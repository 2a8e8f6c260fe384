//! What running a checkpoint takes in memory, computed from config and headers before a weight is read, and
//! compared with what the machine has. A refusal says the sum and what would make it fit.

use std::fmt;

use crate::config::Config;
use crate::error::{ModelError, Result};
use crate::layers::{CacheType, KvCache};
use crate::model::LoadOptions;
use crate::weights::{Dtype, Quantize, Weights, published};

/// What will be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Tokens the KV cache holds.
    pub cache_tokens: usize,
    /// How the cache stores them; f32 if not said.
    pub cache_bf16: bool,
    /// Most new tokens in one forward pass.
    pub pass_tokens: usize,
    /// Patches of the largest image or video.
    pub patches: usize,
}

/// Bytes by purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Weights used where they lie in the mapped files.
    pub mapped: u64,
    /// Weights that are converted or quantised copies.
    pub owned: u64,
    /// The KV cache.
    pub cache: u64,
    /// Activations of the largest decoder pass and its logits.
    pub activations: u64,
    /// The vision tower on the largest item, patches and features included.
    pub vision: u64,
    /// What the machine has left, if that can be told.
    pub available: Option<u64>,
    /// Whether the decoder's matrices are quantised already.
    quantised: bool,
}

impl Plan {
    /// Adds up a checkpoint's needs.
    pub fn new(config: &Config, weights: &Weights, options: &LoadOptions, workload: &Workload) -> Plan {
        let (mapped, owned) = weight_bytes(config, weights, options);
        let decoder = config.decoder();
        let kind = if workload.cache_bf16 { CacheType::Bf16 } else { CacheType::F32 };
        let cache = KvCache::bytes(
            decoder.layers,
            workload.cache_tokens,
            1,
            decoder.kv_heads,
            decoder.head_dim,
            kind,
        );
        // Live at once in a block: the stream twice, its norm, q, k, v, attention's output, gate, up and their
        // product. All f32.
        let (heads, kv) = (decoder.heads * decoder.head_dim, decoder.kv_heads * decoder.head_dim);
        let per_token = 4 * (4 * decoder.hidden_size + 2 * heads + 2 * kv + 3 * decoder.intermediate_size);
        let logits = 8 * decoder.vocab_size;
        let vision = config.tower().map_or(0, |tower| {
            // The patches and their copy as a tensor; the stream twice, its norm, q|k|v, attention, the network.
            let per_patch = 4 * (2 * tower.patch_len() + 8 * tower.width + 3 * config.tower_inner());
            let features = 4 * tower.out * workload.patches / tower.merge_unit();
            workload.patches * per_patch + features
        });
        Plan {
            mapped,
            owned,
            cache: cache as u64,
            activations: (workload.pass_tokens * per_token + logits) as u64,
            vision: vision as u64,
            available: available(),
            quantised: options.quantize.is_some(),
        }
    }

    /// Everything.
    pub fn total(&self) -> u64 {
        self.mapped + self.owned + self.cache + self.activations + self.vision
    }

    /// Refuses what does not fit, with the plan and the remedy.
    pub fn check(&self) -> Result<()> {
        match self.available {
            Some(available) if self.total() > available => Err(ModelError::Memory(format!(
                "not enough memory: {self}, but {} is available; {}",
                gigabytes(available),
                self.remedy()
            ))),
            _ => Ok(()),
        }
    }

    /// What would make it fit, for the largest part.
    fn remedy(&self) -> &'static str {
        let weights = self.mapped + self.owned;
        if weights >= self.cache && weights >= self.vision {
            match self.quantised {
                false => "use --quantize q4_k or q8_0",
                true => "use a smaller checkpoint or a machine with more memory",
            }
        } else if self.vision >= self.cache {
            "use fewer frames or smaller pictures (--frames, --max-pixels)"
        } else {
            "use a shorter context or fewer frames"
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weights {}", gigabytes(self.mapped + self.owned))?;
        for (name, bytes) in
            [("KV cache", self.cache), ("activations", self.activations), ("vision", self.vision)]
        {
            if bytes >= 50_000_000 {
                write!(f, " + {name} {}", gigabytes(bytes))?;
            }
        }
        write!(f, " = {}", gigabytes(self.total()))
    }
}

/// Bytes of weights that stay mapped, and of copies. Tensors the model does not read are not counted.
fn weight_bytes(config: &Config, weights: &Weights, options: &LoadOptions) -> (u64, u64) {
    use safetensors::tensor::Dtype as FileDtype;
    let (mut mapped, mut owned) = (0u64, 0u64);
    for (name, _, entry) in weights.tensors() {
        let name = published(&name);
        let is_head = name == "lm_head.weight";
        if !(is_head
            || name.starts_with("model.")
            || (name.starts_with("visual.") && config.tower().is_some()))
        {
            continue;
        }
        let elements: u64 = entry.shape.iter().map(|&side| side as u64).product();
        let is_matrix = entry.shape.len() >= 2;
        let is_table = name == "model.embed_tokens.weight";
        let decoder_matrix = is_matrix && !name.starts_with("visual.");
        let quantised =
            options.quantize.filter(|format| decoder_matrix && format.takes(entry.shape[0], entry.shape[1]));
        let quantised_bytes = quantised.map(|format| quantised_bytes(format, elements));
        let bf16 = match options.dtype {
            Dtype::Auto => entry.dtype == FileDtype::BF16,
            Dtype::F32 => false,
            Dtype::Bf16 => true,
        };
        let same = matches!((entry.dtype, bf16), (FileDtype::F32, false) | (FileDtype::BF16, true));
        let plain = elements * if bf16 { 2 } else { 4 };
        match quantised_bytes {
            // The table is gathered from as it is; a tied head is a quantised copy of it.
            Some(bytes) if is_table => {
                *(if same { &mut mapped } else { &mut owned }) += plain;
                owned += if config.decoder().tied { bytes } else { 0 };
            }
            Some(bytes) => owned += bytes,
            None if !is_matrix => owned += elements * 4,
            None => *(if same { &mut mapped } else { &mut owned }) += plain,
        }
    }
    (mapped, owned)
}

/// A quantised matrix and the copy in tiles that the tensor library makes of it on first use, on x86-64: for 16
/// rows of a Q4_K block 3072 bytes (f32 scales), of a Q8_0 block 544; and another of 5120 where there is AMX.
fn quantised_bytes(format: Quantize, elements: u64) -> u64 {
    let blocks = elements / format.block() as u64;
    let tiles = match format {
        _ if !cfg!(target_arch = "x86_64") => format.block_bytes() as u64,
        Quantize::Q8_0 => 544 / 16,
        Quantize::Q4K if has_amx() => (3072 + 5120) / 16,
        Quantize::Q4K => 3072 / 16,
    };
    blocks * (format.block_bytes() as u64 + tiles)
}

fn has_amx() -> bool {
    fs_err::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains(" amx_int8"))
}

/// Bytes a process may still use: what the system calls available, within the limit of its control group.
pub fn available() -> Option<u64> {
    let system = system_available();
    match (system, group_available()) {
        (Some(system), Some(group)) => Some(system.min(group)),
        (system, group) => system.or(group),
    }
}

#[cfg(target_os = "linux")]
fn system_available() -> Option<u64> {
    let text = fs_err::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Other systems tell only how much there is; a quarter is left to them.
#[cfg(not(target_os = "linux"))]
fn system_available() -> Option<u64> {
    let output = std::process::Command::new("sysctl").args(["-n", "hw.memsize"]).output().ok()?;
    let total: u64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(total / 4 * 3)
}

/// Limit of the control group less what it uses and cannot give back; versions 2 and 1.
fn group_available() -> Option<u64> {
    let read = |path: String| fs_err::read_to_string(path).ok();
    let number = |path: String| read(path)?.trim().parse::<u64>().ok();
    let group = read("/proc/self/cgroup".into())?;
    let mut smallest: Option<u64> = None;
    for line in group.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let (root, limit, usage) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // Inside a container the path may not exist under its own root: then the root itself is the group.
        for dir in [format!("{root}{path}"), root.to_owned()] {
            let (Some(limit), Some(usage)) =
                (number(format!("{dir}/{limit}")), number(format!("{dir}/{usage}")))
            else {
                continue;
            };
            let reclaimable = read(format!("{dir}/memory.stat")).and_then(|stat| {
                stat.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok())
            });
            let left = limit.saturating_sub(usage.saturating_sub(reclaimable.unwrap_or(0)));
            smallest = Some(smallest.map_or(left, |other| other.min(left)));
        }
    }
    smallest
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
