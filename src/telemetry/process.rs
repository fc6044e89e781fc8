//! Metrics of the process, under the names that Prometheus' own client libraries use (`process_*`), and of its log.
//!
//! `/proc/self` is read at each scrape. A value that the system does not give is left out.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::log_queue::lines_dropped;
use crate::clock::booted_at;
use crate::domain::failure::seconds;

/// Collector that reads the values at each scrape.
#[derive(Debug, Default)]
pub struct Process {
    /// Start of the process in Unix time. `None` if the system does not give it. It is read once, so that the value
    /// never changes.
    started_at: OnceLock<Option<f64>>,
}

impl Collector for Process {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut add = |name, help, metric: &dyn ProcessMetric| metric.encode_as(&mut to, name, help);
        add("process_cpu_seconds", "CPU time that the process has used.", &ConstCounter::new(cpu_seconds()))?;
        if let Some(started_at) = *self.started_at.get_or_init(started_at) {
            let help = "Start of the process, in Unix time.";
            add("process_start_time_seconds", help, &ConstGauge::new(started_at))?;
        }
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let kib = |name| status_field(&status, name).map(|kib| kib.saturating_mul(1024));
        let open = fs::read_dir("/proc/self/fd").ok().and_then(|files| i64::try_from(files.count()).ok());
        let most = getrlimit(Resource::Nofile).current.and_then(|most| i64::try_from(most).ok());
        let gauges = [
            ("process_resident_memory_bytes", "Memory of the process that is in RAM.", kib("VmRSS")),
            ("process_virtual_memory_bytes", "Address space of the process.", kib("VmSize")),
            ("process_threads", "Threads of the process.", status_field(&status, "Threads")),
            ("process_open_fds", "File descriptors that the process has open.", open),
            ("process_max_fds", "File descriptors that the process may have open.", most),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                add(name, help, &ConstGauge::new(value))?;
            }
        }
        let help = "Log lines dropped: standard error was not read in time, or could not be written.";
        add("pagerduty_dora_log_lines_dropped", help, &ConstCounter::new(lines_dropped()))
    }
}

/// Metric that can be encoded under a name.
trait ProcessMetric {
    fn encode_as(
        &self,
        to: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
    ) -> Result<(), std::fmt::Error>;
}

impl<M: EncodeMetric> ProcessMetric for M {
    fn encode_as(
        &self,
        to: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
    ) -> Result<(), std::fmt::Error> {
        self.encode(to.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
fn cpu_seconds() -> f64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec as f64 + used.tv_nsec as f64 / 1e9
}

fn started_at() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let after_boot = started_after_boot(&stat, clock_ticks_per_second())?;
    Some(seconds(booted_at().saturating_add(after_boot).as_nanos()))
}

/// Time from the start of the machine to the start of the process, from the text of `/proc/self/stat` (proc(5): field
/// 22, in ticks).
fn started_after_boot(stat: &str, ticks_per_second: u64) -> Option<Duration> {
    // The second field is the program's name in parentheses, which may hold any text, also parentheses. The third field
    // follows the last parenthesis.
    let ticks: u64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    Some(Duration::from_millis(ticks.saturating_mul(1000).checked_div(ticks_per_second)?))
}

/// The number after `name:` in the text of `/proc/self/status`.
fn status_field(status: &str, name: &str) -> Option<i64> {
    let rest = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_is_field_22_for_any_program_name() {
        let stat = format!("7 (a) b) S{} 250 9 9", " 1".repeat(18));
        assert_eq!(started_after_boot(&stat, 100), Some(Duration::from_millis(2_500)));
        assert_eq!(started_after_boot("", 100), None);
    }

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let status = "VmPeak:\t  9 kB\nVmRSS:\t   1234 kB\nThreads:\t7\n";
        assert_eq!(status_field(status, "VmRSS"), Some(1234));
        assert_eq!((status_field(status, "Threads"), status_field(status, "Vm")), (Some(7), None));
    }
}
