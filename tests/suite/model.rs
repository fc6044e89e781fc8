//! A second model of failures, slow and plain. For each question it sorts all events of an incident and reads them from
//! the start. It shares no code with the program.

#![allow(clippy::option_option, reason = "JSON has missing, null and value")]

use serde_json::{Value, json};

/// One event of an incident. Times are milliseconds since `BEGINNING_SECONDS`.
#[derive(Debug, Clone, Default)]
pub(crate) struct IncidentEvent {
    pub(crate) id: String,
    pub(crate) incident: String,
    /// Event type without `incident.`
    pub(crate) event_type: &'static str,
    pub(crate) at: i64,
    /// Seconds since `BEGINNING_SECONDS`.
    pub(crate) created_at: Option<i64>,
    pub(crate) reopened_at: Option<i64>,
    pub(crate) title: Option<&'static str>,
    /// Number of the service. Its id and name follow from it.
    pub(crate) service: Option<u32>,
    pub(crate) urgency: Option<&'static str>,
    /// The outer `None` means that the field is missing, the inner `None` that it is null.
    pub(crate) priority: Option<Option<&'static str>>,
    /// The outer `None` means no merge, the inner `None` the resolve reason `"merged"` without a target.
    pub(crate) merged_into: Option<Option<String>>,
}

/// Start of the stories: 2026-11-01T00:00:00Z.
const BEGINNING_SECONDS: i64 = 1_793_491_200;

fn rfc3339(millis: i64) -> String {
    let millis = BEGINNING_SECONDS * 1_000 + millis;
    let time = jiff::Timestamp::from_millisecond(millis).unwrap();
    if millis % 1_000 == 0 { time.to_string() } else { format!("{time:.3}") }
}

impl IncidentEvent {
    fn is_note(&self) -> bool {
        self.event_type == "annotated"
    }

    fn status(&self) -> &'static str {
        match self.event_type {
            "resolved" => "resolved",
            "acknowledged" => "acknowledged",
            _ => "triggered",
        }
    }

    fn rank(&self) -> u8 {
        match self.event_type {
            "triggered" => 0,
            "priority_updated" | "service_updated" => 2,
            "resolved" => 3,
            "reopened" => 4,
            _ => 1,
        }
    }

    fn order(&self) -> (i64, u8, &str) {
        (self.at, self.rank(), &self.id)
    }

    /// The body of its webhook.
    pub(crate) fn body(&self) -> Vec<u8> {
        let data = if self.is_note() {
            json!({ "type": "incident_note", "id": "PNOTE", "content": "a note",
                    "incident": { "id": self.incident, "type": "incident_reference" } })
        } else {
            self.incident_object()
        };
        let event = json!({ "event": {
            "id": self.id, "event_type": format!("incident.{}", self.event_type),
            "resource_type": "incident", "occurred_at": rfc3339(self.at), "agent": null, "data": data,
        }});
        serde_json::to_vec(&event).unwrap()
    }

    fn incident_object(&self) -> Value {
        let mut object = json!({
            "id": self.incident, "type": "incident", "status": self.status(), "title": self.title,
            "created_at": self.created_at.map(|seconds| rfc3339(seconds * 1_000)),
            "reopened_at": self.reopened_at.map(rfc3339), "urgency": self.urgency,
            "service": self.service.map(|n| json!({ "id": format!("PSVC{n}"), "summary": format!("service {n}") })),
        });
        if let Some(priority) = self.priority {
            object["priority"] = priority.map_or(Value::Null, |name| json!({ "id": "P", "summary": name }));
        }
        object["resolve_reason"] = match &self.merged_into {
            None => Value::Null,
            Some(None) => json!("merged"),
            Some(Some(target)) => json!({
                "type": "merge_resolve_reason",
                "incident": { "id": target, "type": "incident_reference" },
            }),
        };
        object
    }
}

/// Configuration of `[failure]` and of the rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Configured {
    pub(crate) start: &'static str,
    pub(crate) active_time: bool,
    pub(crate) first_service: bool,
    pub(crate) min_duration_millis: i64,
    pub(crate) rules: bool,
}

/// Verdict of the rules on an incident: see `RULES` in `histories.rs`.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    CountsByRule,
    Counts,
    Ignored(&'static str),
}

/// All events, each once.
pub(crate) struct Model<'a> {
    pub(crate) received: &'a [IncidentEvent],
    pub(crate) configured: Configured,
}

impl<'a> Model<'a> {
    /// The events that show an incident, in order.
    fn events(&self, incident: &str) -> Vec<&'a IncidentEvent> {
        let shown = self.received.iter().filter(|event| event.incident == incident && !event.is_note());
        let mut events: Vec<_> = shown.collect();
        events.sort_by(|a, b| a.order().cmp(&b.order()));
        events
    }

    fn last<T>(&self, incident: &str, fact: impl Fn(&'a IncidentEvent) -> Option<T>) -> Option<T> {
        self.events(incident).into_iter().rev().find_map(fact)
    }

    /// The periods in which an incident was open, as from and to. `from` is `None` in the first period. `to` is `None`
    /// while the period lasts, and if the resolve never arrived.
    fn open_periods(&self, incident: &str) -> Vec<(Option<i64>, Option<i64>)> {
        let mut open_periods = vec![(None, None)];
        // The latest known reopen, and whether its own event was seen.
        let (mut known, mut is_confirmed) = (None, true);
        for event in self.events(incident) {
            let (_, end) = open_periods[open_periods.len() - 1];
            let is_event = event.event_type == "reopened";
            let shown = event.reopened_at.filter(|reopened_at| *reopened_at <= event.at);
            let is_new = |at: i64| known.is_none_or(|known| at > known);
            let reopened = match end {
                Some(_) if is_event => Some(event.at),
                Some(end) => shown.filter(|at| event.status() != "resolved" && *at > end),
                None if is_event => match event.reopened_at {
                    Some(reopened_at) => is_new(reopened_at).then_some(event.at),
                    None => (is_confirmed && is_new(event.at)).then_some(event.at),
                },
                None => shown.filter(|at| is_new(*at)),
            };
            if let Some(at) = reopened {
                open_periods.push((Some(at), None));
                known = Some(at).max(event.reopened_at.filter(|_| is_event));
            }
            if reopened.is_some() || is_event {
                is_confirmed = is_event;
            }
            if event.event_type == "resolved" {
                let last = open_periods.len() - 1;
                open_periods[last].1 = Some(event.at);
            }
        }
        open_periods
    }

    fn end(&self, incident: &str) -> Option<i64> {
        self.open_periods(incident).last().unwrap().1
    }

    /// The incident's own start, and whether it is approximate.
    fn start(&self, incident: &str) -> (i64, bool) {
        let events = self.events(incident);
        let first = |event_type| events.iter().find(|event| event.event_type == event_type);
        let first_end = first("resolved").map(|event| event.order());
        let acknowledged = first("acknowledged")
            .filter(|event| first_end.is_none_or(|end| event.order() < end))
            .map(|event| event.at);
        let triggered = first("triggered").map(|event| event.at);
        let created = self.last(incident, |event| event.created_at).map(|seconds| seconds * 1_000);
        let preferred = match self.configured.start {
            "triggered" => triggered,
            "acknowledged" => acknowledged,
            _ => None,
        };
        match preferred.or(created).or(triggered) {
            Some(start) => (start, false),
            None => (events[0].at, true),
        }
    }

    /// The merge that ended an incident: its target, if it was named. The outer `None` means no merge.
    fn merge(&self, incident: &str) -> Option<Option<&'a str>> {
        self.end(incident)?;
        let deciding = self.events(incident).into_iter().rfind(|event| event.event_type == "resolved")?;
        deciding.merged_into.as_ref().map(Option::as_deref)
    }

    fn is_shown(&self, incident: &str) -> bool {
        !self.events(incident).is_empty()
    }

    /// The cycle of merges that an incident is part of.
    fn cycle(&self, incident: &'a str) -> Option<Vec<&'a str>> {
        let mut cycle = vec![incident];
        let mut at = incident;
        for _ in self.received {
            at = self.merge(at)??;
            if at == incident {
                return Some(cycle);
            }
            cycle.push(at);
        }
        None
    }

    fn counts_in_its_cycle(&self, incident: &'a str) -> bool {
        self.cycle(incident).is_some_and(|cycle| {
            let order = |incident: &&str| {
                let created = self.last(incident, |event| event.created_at);
                (created.is_none(), created, incident.to_string())
            };
            cycle.into_iter().min_by_key(order) == Some(incident)
        })
    }

    /// The incident that it was merged into, if events have shown that one.
    fn merged_into_shown(&self, incident: &'a str) -> Option<&'a str> {
        let target = self.merge(incident)??;
        (!self.counts_in_its_cycle(incident) && self.is_shown(target)).then_some(target)
    }

    fn merges_lead_to(&self, incident: &'a str, target: &str) -> bool {
        let mut at = incident;
        for _ in 0..=self.received.len() {
            match self.merged_into_shown(at) {
                Some(next) if next == target => return true,
                Some(next) => at = next,
                None => return false,
            }
        }
        false
    }

    fn service(&self, incident: &str) -> Option<u32> {
        if self.configured.first_service {
            self.events(incident).into_iter().find_map(|event| event.service)
        } else {
            self.last(incident, |event| event.service)
        }
    }

    fn verdict(&self, incident: &str) -> Verdict {
        let title = self.last(incident, |event| event.title);
        if !self.configured.rules {
            Verdict::Counts
        } else if title.is_some_and(|title| title.contains("vip")) {
            Verdict::CountsByRule
        } else if self.last(incident, |event| event.urgency) == Some("low") {
            Verdict::Ignored("low urgency")
        } else if self.service(incident) == Some(2) {
            Verdict::Ignored("service 2")
        } else {
            Verdict::Counts
        }
    }

    /// The earliest start of an incident and of those merged into it that no rule ignores. `true` if it is approximate.
    fn start_of_all(&self, incident: &str, sources: &[&str]) -> (i64, bool) {
        let (mut start, mut is_approximate) = self.start(incident);
        for source in sources {
            let (began, approximate) = self.start(source);
            if !matches!(self.verdict(source), Verdict::Ignored(_)) && began < start {
                (start, is_approximate) = (began, approximate);
            }
        }
        (start, is_approximate)
    }

    /// The reason why an incident and those merged into it do not count. `None` if they count. `duration` is the time
    /// from the start to the end, if both are known.
    fn reason(&self, incident: &str, sources: &[&str], duration: Option<i64>) -> Option<&'static str> {
        let is_ignored = |verdict: &Verdict| matches!(verdict, Verdict::Ignored(_));
        let own = self.verdict(incident);
        let mut verdicts = vec![own];
        verdicts.extend(sources.iter().map(|source| self.verdict(source)));
        if verdicts.iter().all(is_ignored) {
            return match own {
                Verdict::Ignored(name) => Some(name),
                _ => None,
            };
        }
        let shortest = 0..self.configured.min_duration_millis;
        let is_too_short = duration.is_some_and(|duration| shortest.contains(&duration));
        (is_too_short && !verdicts.contains(&Verdict::CountsByRule)).then_some("min_duration")
    }

    /// The failure of an incident, as JSON. Null if no event has shown the incident.
    pub(crate) fn failure(&self, incident: &'a str, incidents: &[&'a str]) -> Value {
        if !self.is_shown(incident) {
            return Value::Null;
        }
        let mut sources: Vec<&str> =
            incidents.iter().copied().filter(|source| self.merges_lead_to(source, incident)).collect();
        sources.sort_unstable();
        let (start, is_approximate) = self.start_of_all(incident, &sources);
        let open_periods = self.open_periods(incident);
        let lacks_resolve = open_periods[..open_periods.len() - 1].iter().any(|(_, to)| to.is_none());
        let real_end = self.end(incident);
        let end = real_end.map(|end| end.max(start));
        let mut active = Some(0);
        for (from, to) in &open_periods {
            let from = from.unwrap_or(start);
            active = active.zip(*to).map(|(sum, to)| sum + (to - from).max(0));
        }
        let merge = self.merge(incident);
        let in_cycle = merge.is_some() && self.counts_in_its_cycle(incident);
        let is_merged = merge.is_some() && !in_cycle;
        let duration = real_end.filter(|_| !is_approximate).map(|end| end - start);
        let reason = self.reason(incident, &sources, duration);
        let state = match (is_merged, reason, end) {
            (true, _, _) => "merged",
            (_, Some(_), _) => "ignored",
            (_, _, Some(_)) => "completed",
            _ => "open",
        };
        let restore = if is_merged {
            None
        } else if self.configured.active_time {
            active
        } else {
            end.map(|end| end - start)
        };
        let priority = self.last(incident, |event| event.priority).flatten();
        let acknowledged = self.events(incident).into_iter().find(|event| event.event_type == "acknowledged");
        let is_unseen = is_merged && self.merged_into_shown(incident).is_none();
        let flags = [
            (is_approximate || lacks_resolve, "approximate"),
            (real_end.is_some_and(|end| end < start), "end_before_start"),
            (is_unseen, "merge_target_unseen"),
            (in_cycle, "merge_cycle"),
        ];
        let seconds = |millis: i64| {
            #[expect(clippy::cast_precision_loss, reason = "stories last for minutes")]
            let seconds = millis as f64 / 1e3;
            seconds
        };
        json!({
            "incident": incident, "state": state, "reason": reason.filter(|_| !is_merged),
            "started_at": rfc3339(start), "finished_at": end.map(rfc3339),
            "time_to_restore_seconds": restore.map(seconds), "active_seconds": active.map(seconds),
            "acknowledged_at": acknowledged.map(|event| rfc3339(event.at)),
            "reopened": open_periods.len() - 1, "merged": sources,
            "merged_into": if is_merged { merge.flatten() } else { None },
            "title": self.last(incident, |event| event.title),
            "services": self.service(incident).map(|n| format!("service {n}")).into_iter().collect::<Vec<_>>(),
            "urgency": self.last(incident, |event| event.urgency), "priority": priority, "severity": priority,
            "flags": flags.iter().filter(|(holds, _)| *holds).map(|(_, flag)| flag).collect::<Vec<_>>(),
        })
    }
}
