//! Every metric with its sentence: the registry, the text that is served, and the page about it.

use std::fmt::Write as _;

use prometheus_client::{
    encoding::text::encode_registry,
    metrics::histogram::Histogram,
    registry::{Metric, Registry},
};

/// A metric, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Documented {
    /// As it is asked for in Prometheus; a histogram without `_bucket`, `_count` and `_sum`.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it is, in a sentence without a full stop.
    pub help: &'static str,
}

/// The registry, and what is said of what is in it.
#[derive(Debug, Default)]
pub(super) struct Book {
    registry: Registry,
    documented: Vec<Documented>,
}

impl Book {
    pub(super) fn gauge<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        self.put(Documented { name, kind: "gauge", labels, help }, metric)
    }

    /// Its name ends in `_total`.
    pub(super) fn counter<M: Metric + Clone>(
        &mut self,
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
        metric: M,
    ) -> M {
        self.put(Documented { name, kind: "counter", labels, help }, metric)
    }

    /// Of seconds, in buckets up to these.
    pub(super) fn histogram(
        &mut self,
        name: &'static str,
        help: &'static str,
        buckets: impl Iterator<Item = f64>,
    ) -> Histogram {
        self.put(Documented { name, kind: "histogram", labels: &[], help }, Histogram::new(buckets))
    }

    /// Takes a metric in, and hands it back.
    fn put<M: Metric + Clone>(&mut self, documented: Documented, metric: M) -> M {
        // `OpenMetrics` names the family of a counter without it.
        let name = documented.name.strip_suffix("_total").unwrap_or(documented.name);
        self.registry.register(name, documented.help, metric.clone());
        self.documented.push(documented);
        metric
    }

    pub(super) fn documented(&self) -> &[Documented] {
        &self.documented
    }

    /// Everything in the text format of Prometheus, version 0.0.4.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // A `String` takes everything.
        let _ = encode_registry(&mut text, &self.registry);
        classic(&text)
    }
}

/// `OpenMetrics` in the older words, which every Prometheus and promtool read: there a counter's family has the name of its
/// samples.
fn classic(open: &str) -> String {
    let mut text = String::with_capacity(open.len());
    let mut help = None;
    for line in open.lines() {
        let words = |prefix: &str| line.strip_prefix(prefix)?.split_once(' ');
        if let Some(found) = words("# HELP ") {
            help = Some(found);
        } else if let Some((name, kind)) = words("# TYPE ") {
            let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
            if let Some((_, sentence)) = help.take() {
                let _ = writeln!(text, "# HELP {name} {sentence}");
            }
            let _ = writeln!(text, "# TYPE {name} {kind}");
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The reference as Markdown.
pub(super) fn page(documented: &[Documented]) -> String {
    let mut page = format!("{}\n", include_str!("reference.md"));
    page.push_str("| metric | | labels | |\n| --- | --- | --- | --- |\n");
    for Documented { name, kind, labels, help } in documented {
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(page, "| `{name}` | {kind} | {} | {help}. |", labels.join(" "));
    }
    page
}
