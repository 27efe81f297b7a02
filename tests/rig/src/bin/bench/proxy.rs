//! A proxy for programs that find no names below `localhost`: whatever host is asked for, the port is on this machine.

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// The longest head of a request that is read.
const LONGEST_HEAD: u64 = 8 * 1024;

/// Starts one on a free port, which it gives. It ends with the process.
pub(crate) async fn start() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            // A tunnel that breaks is the two ends' affair.
            tokio::spawn(async move { tunnel(client).await });
        }
    });
    Ok(port)
}

async fn tunnel(client: TcpStream) -> Result<()> {
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
    let port = port_of(&first).with_context(|| format!("no CONNECT: {first}"))?;
    let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

fn port_of(request: &str) -> Option<u16> {
    let authority = request.strip_prefix("CONNECT ")?.split(' ').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
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
        let mut client = TcpStream::connect(("127.0.0.1", start().await?)).await?;
        let ask = format!("CONNECT arm.localhost:{port} HTTP/1.1\r\nHost: x\r\n\r\nhello");
        client.write_all(ask.as_bytes()).await?;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await?;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
        echo.await??;
        Ok(())
    }
}
