//! Deliverers: each tells whole lives of incidents, one webhook after another, and sends again what was not answered,
//! as PagerDuty does.

use fastrand::Rng;
use pagerduty_dora::sources::pagerduty::signature::sign;
use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::watch;

use crate::harness::SECRET;
use crate::model::Told;
use crate::process::Listening;

/// Orders and reports of the deliverers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stage {
    /// Number of the daemon's start.
    pub(crate) start: usize,
    /// The one that runs now.
    pub(crate) listening: Option<Listening>,
    /// No new lives: finish those that were begun.
    pub(crate) is_over: bool,
}

/// A webhook, and what became of it so far.
#[derive(Clone)]
struct Webhook {
    told: Told,
    body: Vec<u8>,
    is_acknowledged: bool,
}

/// One of many that deliver at once.
pub(crate) struct Deliverer {
    /// Names its incidents and events.
    pub(crate) name: String,
    pub(crate) rng: Rng,
    pub(crate) client: reqwest::Client,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Counts answers.
    pub(crate) answered: watch::Sender<u64>,
}

impl Deliverer {
    /// Delivers until the stage is over and everything was answered; returns all that it told, life by life.
    pub(crate) async fn run(mut self) -> Vec<Vec<Told>> {
        let (mut lives, mut life, mut again) = (Vec::new(), Vec::new(), Vec::new());
        loop {
            if life.is_empty() && !self.stage.borrow().is_over {
                let told = self.life(lives.len());
                life.extend(told.iter().rev().map(|told| webhook(told.clone())));
                lives.push(told);
            }
            let is_again = !again.is_empty() && (life.is_empty() || self.rng.bool());
            let next = if is_again {
                again.swap_remove(self.rng.usize(..again.len()))
            } else {
                match life.pop() {
                    Some(webhook) => webhook,
                    None => return lives,
                }
            };
            again.extend(self.deliver(next).await);
        }
    }

    /// The story of an incident, from its trigger to its last resolve.
    fn life(&mut self, number: usize) -> Vec<Told> {
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
        let told = event_types.into_iter().enumerate().map(|(n, event_type)| {
            at += rng.i64(1..600_000);
            Told {
                id: format!("01{}X{number}E{n}", self.name),
                incident: incident.clone(),
                event_type,
                at,
                created_at: Some(created_at),
                title: Some("disk full"),
                service: Some(service),
                urgency: Some("high"),
                ..Told::default()
            }
        });
        told.collect()
    }

    /// Delivers it, at times twice at once; returns it where it is to be sent again.
    async fn deliver(&mut self, mut webhook: Webhook) -> Option<Webhook> {
        let stage = *self.stage.wait_for(|stage| stage.listening.is_some()).await.unwrap();
        let listening = stage.listening.unwrap();
        let answers = if self.rng.u8(..20) == 0 {
            let (one, other) = tokio::join!(self.post(listening, &webhook), self.post(listening, &webhook));
            vec![one, other]
        } else {
            vec![self.post(listening, &webhook).await]
        };
        let words: Vec<String> = answers.into_iter().flatten().collect();
        let accepted = words.iter().filter(|word| *word == "accepted").count();
        let news = usize::from(!webhook.is_acknowledged);
        // What was acknowledged and is new all the same was lost.
        assert!(accepted <= news, "{} was forgotten: {words:?}", webhook.told.id);
        if words.is_empty() {
            // It does not answer any more: PagerDuty would try again later, too.
            let _ = self.stage.wait_for(|now| now.start > stage.start || now.is_over).await;
            return Some(webhook);
        }
        webhook.is_acknowledged = true;
        (self.rng.u8(..10) == 0).then_some(webhook)
    }

    /// Status in a 202; `None`: no answer, or one that it could not be kept.
    async fn post(&self, listening: Listening, webhook: &Webhook) -> Option<String> {
        let url = format!("http://{}/webhooks/pagerduty", listening.public);
        let signature = sign(&SecretString::from(SECRET), &webhook.body);
        let request = self.client.post(url).header("x-pagerduty-signature", signature);
        let response = request.body(webhook.body.clone()).send().await.ok()?;
        let status = response.status().as_u16();
        let body = response.bytes().await;
        self.answered.send_modify(|answered| *answered += 1);
        match status {
            // The status alone is the promise, even where the rest was cut off.
            202 => Some(body.map_or_else(|_| "cut off".to_owned(), |body| word(&body))),
            503 => None,
            _ => panic!("{status} to {:?}", webhook.told),
        }
    }
}

fn webhook(told: Told) -> Webhook {
    Webhook { body: told.body(), told, is_acknowledged: false }
}

fn word(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap();
    let word = answer["status"].as_str().unwrap();
    assert!(["accepted", "duplicate"].contains(&word), "{word}");
    word.to_owned()
}
