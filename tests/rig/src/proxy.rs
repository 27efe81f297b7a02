//! A proxy as firms have them, for whoever has to go by one or finds no names below `localhost`: whatever host is asked
//! for, the port is on this machine.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const HTTPS: u16 = 443;

/// The longest head of a request that is read.
const LONGEST_HEAD: u64 = 8 * 1024;

/// A running proxy. Dropped, it opens no more tunnels.
pub struct Proxy {
    pub port: u16,
    asked: Asked,
    serving: JoinHandle<()>,
}

/// The hosts that tunnels were asked to.
type Asked = Arc<Mutex<BTreeSet<String>>>;

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Proxy {
    /// Starts one on a free port.
    pub async fn start() -> Result<Self> {
        Self::with(HTTPS).await
    }

    /// The same, where the port of HTTPS is that one: for services that are called by their real names.
    pub async fn with(https: u16) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let (port, asked) = (listener.local_addr()?.port(), Asked::default());
        let hosts = asked.clone();
        let serving = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A tunnel that breaks is the two ends' affair.
                tokio::spawn(tunnel(client, hosts.clone(), https));
            }
        });
        Ok(Self { port, asked, serving })
    }

    /// The hosts that tunnels were asked to.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn tunnel(client: TcpStream, asked: Asked, https: u16) -> Result<()> {
    let mut client = BufReader::new(client);
    let mut head = (&mut client).take(LONGEST_HEAD);
    let mut first = String::new();
    head.read_line(&mut first).await?;
    loop {
        let mut line = String::new();
        head.read_line(&mut line).await?;
        if line.trim().is_empty() {
            break;
        }
    }
    let (host, port) = authority(&first).with_context(|| format!("no CONNECT: {first}"))?;
    asked.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_owned());
    let port = if port == HTTPS { https } else { port };
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn authority(request: &str) -> Option<(&str, u16)> {
    let (host, port) = request.strip_prefix("CONNECT ")?.split(' ').next()?.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tunnel_leads_to_the_port_whatever_the_host() -> Result<()> {
        let server = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = server.local_addr()?.port();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await?;
            let mut said = [0; 5];
            stream.read_exact(&mut said).await?;
            stream.write_all(&said).await
        });
        let proxy = Proxy::start().await?;
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).await?;
        let ask = format!("CONNECT arm.localhost:{port} HTTP/1.1\r\nHost: x\r\n\r\nhello");
        client.write_all(ask.as_bytes()).await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
        echo.await??;
        assert_eq!(proxy.asked(), BTreeSet::from(["arm.localhost".to_owned()]));
        Ok(())
    }
}
