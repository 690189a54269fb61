//! The far end of a connection, over Linux's own TCP: it receives a file, or sends one by sendfile(2).
//!
//! It is a program of ours because busybox's `nc` neither tells what it cost nor ends when the other end resets.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};

/// Longest silence of the other end.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take one connection, over IPv4 or IPv6, and write what arrives to a file
    Receive {
        /// The port to listen on
        port: u16,
        /// The file
        output: PathBuf,
    },
    /// Send a file by sendfile(2)
    Send {
        /// The file
        file: PathBuf,
        /// HOST:PORT
        to: String,
    },
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("far-end: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(command: Command) -> io::Result<()> {
    let start;
    let bytes = match command {
        Command::Receive { port, output } => {
            // A wildcard address of IPv6 takes IPv4 too.
            let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?;
            println!("listening");
            io::stdout().flush()?;
            let (mut stream, from) = listener.accept()?;
            println!("connected: {from}");
            start = Instant::now();
            stream.set_read_timeout(Some(PATIENCE))?;
            io::copy(&mut stream, &mut File::create(output)?)?
        }
        Command::Send { file, to } => {
            let file = File::open(file)?;
            let stream = TcpStream::connect(to)?;
            start = Instant::now();
            stream.set_write_timeout(Some(PATIENCE))?;
            let length = file.metadata()?.len();
            let mut offset = 0;
            while offset < length {
                let left = usize::try_from(length - offset).unwrap_or(usize::MAX);
                if rustix::fs::sendfile(&stream, &file, Some(&mut offset), left)? == 0 {
                    return Err(io::Error::other("the file has become shorter"));
                }
            }
            offset
        }
    };
    println!("{bytes} bytes in {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
