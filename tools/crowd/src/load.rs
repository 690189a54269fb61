//! How requests are made, and how long their answers take.

use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use crate::CrowdError;
use crate::client::Client;
use crate::server::Server;

/// How long after the last request its answer may come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Most connections that one look finds ready.
const READY: usize = 1024;

/// How often all clients together ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// So many times a second, each in its turn.
    Rate(u32),
    /// Each as soon as it is answered.
    Saturating,
}

impl Load {
    /// The two that are measured.
    pub(crate) fn both(rate: u32) -> [Self; 2] {
        [Self::Rate(rate), Self::Saturating]
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(f, "{rate} requests/s"),
            Self::Saturating => f.write_str("saturating"),
        }
    }
}

/// What became of a load.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// How long each answer took, shortest first.
    pub(crate) times: Vec<Duration>,
    /// From the first request to the last answer.
    pub(crate) length: Duration,
    /// CPU time of the server in this.
    pub(crate) server_cpu: Duration,
}

/// A client while it is under load.
struct Asking<'a> {
    client: &'a mut Client,
    /// When the request under way was due.
    due: Option<Duration>,
    /// When further ones were due, which wait for that.
    waiting: VecDeque<Duration>,
}

/// Lets the clients ask for `length`, and waits until all are answered.
pub(crate) fn run(
    load: Load,
    clients: &mut [Client],
    length: Duration,
    server: &Server,
) -> Result<Sample, CrowdError> {
    let of = clients.len();
    let failed = |number: usize| {
        move |cause: io::Error| CrowdError::Client {
            number: number + 1,
            of,
            what: format!("was not answered: {cause}"),
        }
    };
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(CrowdError::system("making an epoll"))?;
    for (number, client) in clients.iter().enumerate() {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&watch, &client.stream, data, epoll::EventFlags::IN)
            .map_err(CrowdError::system("watching a connection"))?;
    }
    let mut asking: Vec<Asking<'_>> = clients.iter_mut().map(Asking::new).collect();
    let cpu = server.cpu()?;
    let began = Instant::now();
    let mut times = vec![];
    let mut answered = Duration::ZERO;
    let mut buffer = vec![0; 64 << 10];
    let mut ready = Vec::with_capacity(READY);
    let mut asked: usize = 0;
    loop {
        let now = began.elapsed();
        let next = |asked: usize| match load {
            Load::Rate(rate) => Duration::from_secs_f64(asked as f64 / f64::from(rate)),
            // All at once, and from then on each when it is answered.
            Load::Saturating if asked < of => Duration::ZERO,
            Load::Saturating => Duration::MAX,
        };
        while next(asked) <= now && next(asked) < length {
            let number = asked % of;
            asking[number].want(next(asked)).map_err(failed(number))?;
            asked += 1;
        }
        if now >= length && asking.iter().all(Asking::is_done) {
            break;
        }
        if now >= length + PATIENCE {
            let number = asking.iter().position(|one| !one.is_done()).unwrap_or(0);
            return Err(failed(number)(ErrorKind::TimedOut.into()));
        }
        ready.clear();
        let at_once = Timespec::default();
        epoll::wait(&watch, rustix::buffer::spare_capacity(&mut ready), Some(&at_once))
            .map_err(CrowdError::system("waiting for answers"))?;
        for event in &ready {
            let number = event.data.u64() as usize;
            let one = &mut asking[number];
            if !one.client.listen(&mut buffer).map_err(failed(number))? {
                continue;
            }
            answered = began.elapsed();
            if let Some(due) = one.due.take() {
                times.push(answered.saturating_sub(due));
            }
            if let Some(due) = one.waiting.pop_front() {
                one.want(due).map_err(failed(number))?;
            } else if load == Load::Saturating && answered < length {
                one.want(answered).map_err(failed(number))?;
            }
        }
    }
    times.sort_unstable();
    Ok(Sample {
        times,
        length: answered,
        server_cpu: server.cpu()?.saturating_sub(cpu),
    })
}

impl<'a> Asking<'a> {
    fn new(client: &'a mut Client) -> Self {
        Self {
            client,
            due: None,
            waiting: VecDeque::new(),
        }
    }

    /// Asks, or notes that it is to ask once it is answered.
    fn want(&mut self, due: Duration) -> io::Result<()> {
        if self.due.is_some() {
            self.waiting.push_back(due);
            return Ok(());
        }
        self.due = Some(due);
        self.client.ask()
    }

    fn is_done(&self) -> bool {
        self.due.is_none()
    }
}

impl Sample {
    /// The time within which this share of the answers came.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let place = (share * self.times.len() as f64).ceil() as usize;
        let place = place.clamp(1, self.times.len().max(1)) - 1;
        self.times.get(place).copied().unwrap_or_default()
    }

    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        self.times.len() as f64 / self.length.as_secs_f64()
    }

    /// CPU time of the server for an answer, in µs.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / self.times.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_time_within_which_that_share_came() {
        let times = (1..=1000).map(Duration::from_micros).collect();
        let sample = Sample {
            times,
            length: Duration::from_millis(500),
            server_cpu: Duration::from_millis(5),
        };
        let at = |share| sample.percentile(share).as_micros();
        assert_eq!(
            [at(0.0), at(0.5), at(0.99), at(0.999), at(1.0)],
            [1, 500, 990, 999, 1000]
        );
        assert_eq!((sample.rate(), sample.cpu_us()), (2000.0, 5.0));
    }
}
