//! Clients that deliver all events of incidents (a "life" is the events of one incident), one webhook after another.
//! Like PagerDuty, they resend a webhook that was not acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::watch;

use crate::harness::SECRET;
use crate::model::IncidentEvent;
use crate::process::Listening;

/// State of the run, for the deliverers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    /// Number of starts of the daemon so far.
    pub(crate) start: usize,
    /// Addresses of the daemons that run now, as a load balancer knows them. Some may have been killed meanwhile.
    pub(crate) listening: Vec<Listening>,
    /// `true` if no new life may begin. Lives that have begun are finished.
    pub(crate) is_over: bool,
}

/// A webhook, and whether it was acknowledged.
#[derive(Clone)]
struct Webhook {
    event: IncidentEvent,
    body: Vec<u8>,
    is_acknowledged: bool,
}

/// One of several clients that deliver at once.
pub(crate) struct Deliverer {
    /// Part of the ids of its incidents and events.
    pub(crate) name: String,
    pub(crate) rng: Rng,
    pub(crate) client: reqwest::Client,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Counts answers.
    pub(crate) answered: watch::Sender<u64>,
    /// Counts the webhooks that no daemon took, each time that they were sent.
    pub(crate) refused: Arc<AtomicU64>,
}

impl Deliverer {
    /// Delivers until the stage is over and everything was acknowledged. Returns all delivered events, life by life.
    pub(crate) async fn run(mut self) -> Vec<Vec<IncidentEvent>> {
        let (mut lives, mut life, mut to_resend) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if life.is_empty() && !self.stage.borrow().is_over {
                let events = self.life(lives.len());
                life.extend(events.iter().rev().map(|event| webhook(event.clone())));
                lives.push(events);
            }
            let is_resend = !to_resend.is_empty() && (life.is_empty() || self.rng.bool());
            let next = if is_resend {
                to_resend.swap_remove(self.rng.usize(..to_resend.len()))
            } else {
                match life.pop() {
                    Some(webhook) => webhook,
                    None => return lives,
                }
            };
            to_resend.extend(self.deliver(next).await);
        }
    }

    /// The events of an incident, from its trigger to its last resolve.
    fn life(&mut self, number: usize) -> Vec<IncidentEvent> {
        let rng = &mut self.rng;
        let mut event_types = vec!["triggered", "acknowledged", "resolved"];
        if rng.u8(..4) == 0 {
            event_types.insert(rng.usize(1..3), "annotated");
        }
        if rng.u8(..3) == 0 {
            event_types.extend(["reopened", "resolved"]);
        }
        let created_at = rng.i64(0..1_000_000);
        let mut at = created_at * 1_000;
        let (service, incident) = (rng.u32(1..=9), format!("Q{}X{number}", self.name));
        let events = event_types.into_iter().enumerate().map(|(n, event_type)| {
            at += rng.i64(1..600_000);
            IncidentEvent {
                id: format!("01{}X{number}E{n}", self.name),
                incident: incident.clone(),
                event_type,
                at,
                created_at: Some(created_at),
                title: Some("disk full"),
                service: Some(service),
                urgency: Some("high"),
                ..IncidentEvent::default()
            }
        });
        events.collect()
    }

    /// Delivers it, sometimes twice at once. Returns it if it is to be sent again.
    async fn deliver(&mut self, mut webhook: Webhook) -> Option<Webhook> {
        let mut stage = self.stage.wait_for(|stage| !stage.listening.is_empty()).await.unwrap().clone();
        self.rng.shuffle(&mut stage.listening);
        let mut statuses: Vec<String> = Vec::new();
        // A load balancer sends a request that gets no answer, or a 503, to the next daemon.
        for listening in stage.listening {
            let answers = if self.rng.u8(..20) == 0 {
                let (one, other) =
                    tokio::join!(self.post(listening, &webhook), self.post(listening, &webhook));
                vec![one, other]
            } else {
                vec![self.post(listening, &webhook).await]
            };
            statuses.extend(answers.into_iter().flatten());
            if !statuses.is_empty() {
                break;
            }
        }
        let accepted = statuses.iter().filter(|word| *word == "accepted").count();
        let allowed = usize::from(!webhook.is_acknowledged);
        // An acknowledged webhook that is accepted again was lost.
        assert!(accepted <= allowed, "{} was lost: {statuses:?}", webhook.event.id);
        if statuses.is_empty() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            // No daemon answers. PagerDuty too would try again later.
            let _ = self.stage.wait_for(|now| now.start > stage.start || now.is_over).await;
            return Some(webhook);
        }
        webhook.is_acknowledged = true;
        (self.rng.u8(..10) == 0).then_some(webhook)
    }

    /// The `status` in a 202. `None` if there was no answer, or a 503.
    async fn post(&self, listening: Listening, webhook: &Webhook) -> Option<String> {
        let url = format!("http://{}/webhooks/pagerduty", listening.public);
        let signature = sign(&SecretString::from(SECRET), &webhook.body);
        let request = self.client.post(url).header("x-pagerduty-signature", signature);
        let response = request.body(webhook.body.clone()).send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await;
        self.answered.send_modify(|answered| *answered += 1);
        match status {
            // The status code alone acknowledges, even if the body was cut off.
            202 => Some(body.map_or_else(|_| "cut off".to_owned(), |body| word(&body))),
            503 => None,
            _ => panic!("{status} to {:?}", webhook.event),
        }
    }
}

fn webhook(event: IncidentEvent) -> Webhook {
    Webhook { body: event.body(), event, is_acknowledged: false }
}

fn word(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap();
    let word = answer["status"].as_str().unwrap();
    assert!(["accepted", "duplicate"].contains(&word), "{word}");
    word.to_owned()
}
