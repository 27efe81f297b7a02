//! Waiting for what becomes true after a while, without sleeps in the tests.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// How long to pause between two looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Repeats `look` until it gives a value. Its error is what was seen instead, and the last one is in ours:
///
/// ```no_run
/// # use std::time::Duration;
/// # use anyhow::ensure;
/// # async fn example(pods: kube::Api<k8s_openapi::api::core::v1::Pod>) -> anyhow::Result<()> {
/// certferry_rig::wait::eventually(Duration::from_secs(10), "the pod is gone", async || {
///     let pod = pods.get_opt("web").await?;
///     ensure!(pod.is_none(), "{pod:?}");
///     Ok(())
/// })
/// .await
/// # }
/// ```
pub async fn eventually<T>(
    timeout: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let deadline = Instant::now() + timeout;
    let mut before = None;
    loop {
        // One look that hangs, say at a frozen server, must not outlast the whole.
        let left = deadline.saturating_duration_since(Instant::now());
        let seen = match tokio::time::timeout(left, look()).await {
            Ok(seen) => seen,
            Err(_) => Err(before.take().unwrap_or_else(|| anyhow::anyhow!("the only look did not end"))),
        };
        match seen {
            Ok(value) => return Ok(value),
            Err(seen) if Instant::now() + PAUSE >= deadline => {
                return Err(seen).with_context(|| format!("not so within {timeout:?}: {what}; last seen"));
            }
            Err(seen) => {
                before = Some(seen);
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Repeats `look` until what it gives `is` as wanted, and gives that. The error shows the last value seen.
pub async fn becomes<T: Debug>(
    timeout: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T>,
    is: impl Fn(&T) -> bool,
) -> Result<T> {
    eventually(timeout, what, async || {
        let value = look().await?;
        ensure!(is(&value), "{value:#?}");
        Ok(value)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_names_what_was_awaited_and_what_was_seen() {
        let mut looks = 0;
        let error = becomes(
            Duration::from_millis(300),
            "a third of a million looks",
            async || {
                looks += 1;
                Ok(looks)
            },
            |looks| *looks > 300_000,
        )
        .await
        .expect_err("there is no time for so many");
        let text = format!("{error:#}");
        assert!(text.contains("a third of a million looks"), "{text}");
        assert!(text.ends_with(char::is_numeric), "{text}");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_cut() {
        let endless = async || std::future::pending::<Result<()>>().await;
        assert!(eventually(Duration::from_millis(50), "the end of time", endless).await.is_err());
    }
}
